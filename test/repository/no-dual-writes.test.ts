import { describe, expect, it } from 'vitest';
import { flows, operations } from '../../workflows/flows.ts';
import { besideSteps, byCallers, inUpkeep } from './effects/declared-effects.ts';
import { faultsOf, isAllowed, openFile, throughFlow, throughStory, writersIn } from './effects/look-through.ts';
import { ledgerFunctions, sqlEffect, triggersOn } from './effects/sql-effect.ts';
import { Walk } from './effects/walk.ts';
import { filesUnder, readSource } from './source-files.ts';

/**
 * A dual write is an effect that is made beside the ledger's row, so that a crash between the two loses one of them. Each effect
 * of a flow goes through a step, whose row stands before and after it, or through the outbox, whose row commits with the step's.
 */
const names = flows.map(({ name }) => name);
const walks = names.map((name) => throughFlow(name));
const inFlows = new Set(walks.flatMap(({ files }) => [...files]));

describe('a flow', () => {
  it.each(operations.map(({ flow }) => flow.name))('%s tells its story by the engine alone', (name) => {
    const walk = throughStory(name);
    expect([...walk.left]).toEqual([]);
    expect(faultsOf(walk)).toEqual([]);
    expect(walk.files).toContain('workflows/engine/step.ts');
  });

  it.each(names)('%s has its effects in steps, and nowhere else', (name) => {
    expect(faultsOf(throughFlow(name))).toEqual([]);
  });

  it.each(['enquiry', 'guestbook', 'letter'])('%s may be written as CONTRIBUTING teaches', (name) => {
    const walk = new Walk({ open: openFile, follows: (path) => path.startsWith(`test/flows/`) });
    walk.exports(`test/flows/${name}/${name}-activities.ts`, 'making');
    expect(faultsOf(walk)).toEqual([]);
  });

  it('is looked through as far as its effects', () => {
    const seen = walks.flatMap(({ touches }) => touches.filter(isAllowed)).map(({ kind, what }) => `${kind} ${what}`);
    for (const effect of ['open', 'confirm', 'capture', 'cancel', 'giveAllBack', 'refund'])
      expect(seen).toContain(`writes PaymentProvider.${effect}`);
    for (const command of ['PutObject', 'DeleteObject', 'CompleteMultipartUpload', 'AbortMultipartUpload'])
      expect(seen).toContain(`writes ${command}Command of @aws-sdk/client-s3`);
    expect(seen).toContain('writes spawn of node:child_process');
    expect(seen.filter((what) => what.startsWith('tells'))).toHaveLength(5);
    expect(seen).toContain('database Database.flush');
  });

  it('gives upkeep only what is declared', () => {
    expect([...new Set(walks.flatMap(({ upkeep }) => [...upkeep]))].sort()).toEqual(Object.keys(inUpkeep).sort());
  });
});

const writing = (paths: readonly string[]) =>
  Object.fromEntries(paths.map((path) => [path, writersIn(path)]).filter(([, by]) => (by as string[]).length > 0));

describe('what no step does', () => {
  it('is declared, where a caller sets it off', () => {
    const found = writing(filesUnder('client').filter((path) => path.endsWith('.ts')));
    expect(found).toEqual(Object.assign({}, ...byCallers.map(({ at }) => at)));
  });

  it('is declared, where it delivers what steps have told, or tidies up', () => {
    const beside = filesUnder('activities').filter(
      (path) => path.endsWith('.ts') && !path.startsWith('activities/stores/') && !inFlows.has(path),
    );
    expect(writing(beside)).toEqual(Object.assign({}, ...besideSteps.map(({ at }) => at)));
  });
});

describe('a message', () => {
  it('is written into the outbox by one function, and planned by its triggers', () => {
    expect(ledgerFunctions.filter(({ name, body }) => name === '' || body.trim() === '')).toEqual([]);
    const into = (table: string) =>
      ledgerFunctions.filter(({ body }) => new RegExp(`insert into hapax\\.${table}\\b`).test(body));
    expect(into('outbox').map(({ name }) => name)).toEqual(['tell']);
    const planning = [...into('delivery'), ...into('publication')];
    expect(planning.map(({ name }) => name).sort()).toEqual(['plan_delivery', 'plan_publication', 'plan_webhooks']);
    for (const { name, returns } of planning) {
      expect(returns).toMatch(/^trigger\b/);
      expect(triggersOn('outbox')).toContainEqual(
        expect.stringMatching(new RegExp(`after insert [^]*${name}\\(\\);$`)),
      );
    }
  });

  it('is told by the very statement that records its step', () => {
    const statements = ['activities', 'client', 'workers', 'workflows']
      .flatMap(filesUnder)
      .filter((path) => path.endsWith('.ts'))
      .flatMap((path) => readSource(path).strings);
    expect(
      statements.filter((text) => /insert\s+into\s+(hapax\.)?(outbox|delivery|publication)\b/i.test(text)),
    ).toEqual([]);
    const telling = statements.filter((text) => sqlEffect(text) === 'tells');
    expect(telling).toHaveLength(5);
    expect(telling.filter((text) => !/\bstep_done\(/.test(text))).toEqual([]);
  });
});
