import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { operationId, ownedId, type Scope, stepKey, undoKey, workflowId } from '../../workflows/operation/key.ts';

const scope: Scope = { tenant: 'alpha', environment: 'test', subject: 'default', flow: 'checkout', key: 'k' };

const name = fc.string({
  unit: fc.constantFrom('a', 'b', '/', '~', '"', ',', '%', '2', ':', ' ', '.'),
  minLength: 1,
  maxLength: 6,
});
const anyScope = fc.record({
  tenant: name,
  environment: fc.constantFrom('live' as const, 'test' as const),
  subject: name,
  flow: fc.constantFrom('checkout', 'upload'),
  key: name,
});
const named = fc.tuple(anyScope, fc.integer({ min: 1, max: 3 }));

describe('the id of an operation', () => {
  it('is a permanent contract: this scope has had this id from the first day', () => {
    expect(operationId(scope, 1)).toBe('op_zys9468vh5vp0x5anat9schfqt');
  });

  it('is never that of another scope or generation, whatever delimiters their names hold', () => {
    fc.assert(
      fc.property(named, named, ([a, n], [b, m]) => {
        const same = JSON.stringify([a, n]) === JSON.stringify([b, m]);
        return (operationId(a, n) === operationId(b, m)) === same;
      }),
      { numRuns: 2_000 },
    );
    expect(operationId({ ...scope, tenant: 'a","b' }, 1)).not.toBe(
      operationId({ ...scope, tenant: 'a', environment: 'test' }, 1),
    );
  });

  it('names what the operation owns', () => {
    const id = operationId(scope, 1);
    expect(ownedId('ord', id)).toBe(`ord_${id.slice(3)}`);
    expect(stepKey(id, 'capture', 2)).toBe(`${id}:capture:2`);
    expect(undoKey(id, 'capture', 2)).not.toBe(stepKey(id, 'capture', 2));
    expect(undoKey(id, 'capture', 2)).toContain(id);
  });
});

describe('the id of a workflow', () => {
  it('is read by people', () => {
    expect(workflowId(scope, 1)).toBe('checkout/alpha/test/default/k');
    expect(workflowId(scope, 3)).toBe('checkout/alpha/test/default/k~3');
    expect(workflowId({ ...scope, subject: '' }, 1)).toBe('checkout/alpha/test/k');
  });

  it('is no other’s, not even where a key looks like another generation or path', () => {
    expect(workflowId({ ...scope, key: 'k~2' }, 1)).not.toBe(workflowId(scope, 2));
    expect(workflowId({ ...scope, subject: 'a', key: 'b/c' }, 1)).not.toBe(
      workflowId({ ...scope, subject: 'a/b', key: 'c' }, 1),
    );
    fc.assert(
      fc.property(named, named, ([a, n], [b, m]) => {
        const same = JSON.stringify([a, n]) === JSON.stringify([b, m]);
        return (workflowId(a, n) === workflowId(b, m)) === same;
      }),
      { numRuns: 5_000 },
    );
  });

  it('stays below what Temporal takes, whatever the key', () => {
    for (const key of ['k'.repeat(255), '/'.repeat(255), '~'.repeat(255)]) {
      expect(workflowId({ ...scope, key }, 99).length).toBeLessThanOrEqual(255);
      expect(workflowId({ ...scope, key }, 1)).not.toBe(workflowId({ ...scope, key }, 2));
    }
    expect(workflowId({ ...scope, key: 'k'.repeat(255) }, 1)).toBe(
      `checkout/${operationId({ ...scope, key: 'k'.repeat(255) }, 1)}`,
    );
  });
});
