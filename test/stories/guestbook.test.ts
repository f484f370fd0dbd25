import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { operationId } from '../../workflows/operation/key.ts';
import { entryTable, lines } from '../flows/guestbook/entry-steps.ts';
import { guestbookFlow } from '../flows/guestbook/guestbook.flow.ts';
import { type OwnFlows, ownFlows } from '../support/own-flows.ts';
import { World } from '../support/world.ts';

describe('a guestbook, written by kysely and stamped by drizzle', () => {
  let world: World;
  let flows: OwnFlows;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { doors: 0, workers: 0 });
    await world.sql(entryTable);
    flows = await ownFlows(world);
  });
  afterAll(async () => {
    await flows.close();
    await world.close();
  });

  const caller = (key: string) =>
    ({ tenant: world.tenants.alpha, environment: 'test', subject: 'default', key }) as const;
  const signed = (key: string, page: string, words = 'Hello') =>
    flows.gateway.run(guestbookFlow, { ...caller(key), request: { page, words } }, 30_000);
  const idOf = (key: string) => operationId({ ...caller(key), flow: guestbookFlow.name }, 1);
  const entries = (page: string) =>
    world.sql('select words, stamped from guestbook.entry where page = $1 order by words', page);
  const steps = (key: string) =>
    world.sql('select name, state, result from hapax.step where operation_id = $1 order by position', idOf(key));

  it('holds each entry once, together with its record and its answer', async () => {
    const first = await signed('once', 'first page');
    expect(first).toMatchObject({ state: 'succeeded', result: { line: 1 } });
    expect(await signed('once', 'first page')).toEqual({ ...first, how: 'replayed' });
    expect(await entries('first page')).toEqual([{ words: 'Hello', stamped: true }]);
    expect(await steps('once')).toEqual([
      { name: 'sign', state: 'done', result: { line: 1 } },
      { name: 'stamp', state: 'done', result: null },
    ]);
  });

  it('says no where the page is full, and keeps nothing of the try', async () => {
    const keys = Array.from({ length: lines + 1 }, (_, n) => `full-${n}`);
    for (const key of keys.slice(0, -1)) expect(await signed(key, 'full', key)).toMatchObject({ state: 'succeeded' });
    const last = keys.at(-1) ?? '';
    const answer = await signed(last, 'full', last);
    expect(answer).toMatchObject({ state: 'refused', problem: { code: 'page-full' } });
    expect(await signed(last, 'full', last)).toEqual({ ...answer, how: 'replayed' });
    expect(await entries('full')).toEqual(keys.slice(0, -1).map((words) => ({ words, stamped: true })));
    expect(await steps(last)).toEqual([{ name: 'sign', state: 'failed', result: null }]);
  });

  it('has the rule of the database that it breaks shown as trouble, and goes on once that is mended', async () => {
    await world.sql('alter table guestbook.entry add constraint no_stamps_today check (not stamped) not valid');
    await flows.gateway.run(guestbookFlow, { ...caller('late'), request: { page: 'late', words: 'Hello' } }, 0);
    const trouble = await world.until('it is in trouble', async () => {
      const record = await flows.gateway.status(world.tenants.alpha, idOf('late'));
      return record?.settledAt === null ? (record.trouble ?? undefined) : undefined;
    });
    const says = "The database's rule no_stamps_today refused what this step writes.";
    expect(trouble).toMatchObject({ step: 'stamp', says });
    expect(await entries('late')).toEqual([{ words: 'Hello', stamped: false }]);
    await world.sql('alter table guestbook.entry drop constraint no_stamps_today');
    expect(await signed('late', 'late')).toMatchObject({ state: 'succeeded' });
    expect(await entries('late')).toEqual([{ words: 'Hello', stamped: true }]);
  });
});
