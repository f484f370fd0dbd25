import { describe, expect, it } from 'vitest';
import { judgeRequirements, knownRequirements } from './check-requirements.ts';

const files: Record<string, string> = { 'test/unit/key.test.ts': "it('gives the stored answer', …)" };
const row = (evidence: string, requirement = 'One') => `| ${requirement} | ${evidence} |`;
const filler = Array.from({ length: knownRequirements }, (_, index) => row('not yet', `Filler ${index}`)).join('\n');
const faults = (...rows: string[]) => judgeRequirements([...rows, filler].join('\n'), (path) => files[path]).faults;

describe('a line of the requirements', () => {
  it.each([
    'not yet',
    '`test/unit/key.test.ts`',
    '`test/unit/key.test.ts` "gives the stored answer"',
    '`test/unit/key.test.ts`; `test/unit/key.test.ts` "stored"',
  ])('passes with %s', (evidence) => {
    expect(faults(row(evidence))).toEqual([]);
  });

  it.each([
    ['', 'names neither'],
    ['soon', 'names neither'],
    ['`test/unit/key.test.ts` and more', 'names neither'],
    ['`test/unit/gone.test.ts`', 'no test file'],
    ['`workflows/operation/key.ts`', 'no test file'],
    ['`test/unit/key.test.ts` "another name"', 'does not hold'],
    ['not yet | more', 'two cells'],
  ])('fails with "%s"', (evidence, fault) => {
    expect(faults(row(evidence))).toEqual([expect.stringContaining(fault)]);
  });

  it('fails when it stands there twice', () => {
    expect(faults(row('not yet'), row('not yet'))).toEqual([expect.stringContaining('twice')]);
  });

  it('fails when one is lost', () => {
    const { faults } = judgeRequirements(filler.split('\n').slice(1).join('\n'), () => undefined);
    expect(faults).toEqual([expect.stringContaining('none may be lost')]);
  });
});
