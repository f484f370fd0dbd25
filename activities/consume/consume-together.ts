import { ownQueries } from '../stores/postgres/callback/own-queries.ts';
import type { RowClient } from '../stores/postgres/callback/row-client.ts';
import { claimed, claimMessages } from '../stores/postgres/consumer/claim-messages.ts';
import { actFor, inTenant } from '../stores/postgres/consumer/message-key.ts';
import type { Database, Row, Statement } from '../stores/postgres/database.ts';
import type { Consumer } from './define-consumer.ts';
import { type Became, beginInOrder, endInOrder, placeInOrder } from './in-order.ts';
import type { SoundMessage } from './judge-message.ts';

/** A batch that was rolled back as a whole. */
export class BatchFailed extends Error {
  override readonly name = 'BatchFailed';
  /** Whose effect failed, by its place in the batch; undefined where it was none of them. */
  readonly at: number | undefined;
  constructor(cause: unknown, at: number | undefined) {
    super('A batch of messages was rolled back', { cause });
    this.at = at;
  }
}

/** What one tenant's messages become, before their effects are run. */
type Plan = {
  readonly became: readonly Became[];
  /** Statements that record it, behind the effects. */
  readonly closing: readonly Statement[];
};

/**
 * Consumes messages in one transaction: claims, effects and records are committed together or not at all.
 * @param messages sorted as `inBatchOrder` does, none of them twice
 * @throws BatchFailed nothing of it was committed; where PostgreSQL could not be asked, nobody knows
 */
export async function consumeTogether(
  database: Database,
  consumer: Consumer,
  messages: readonly SoundMessage[],
): Promise<readonly Became[]> {
  const groups = byTenant(messages);
  const [first] = groups;
  if (first === undefined) return [];
  let at: number | undefined;
  try {
    return await database.transaction(first[0].key.tenant, opening(consumer, first), async (tx, opened) => {
      const became: Became[] = [];
      let closing: readonly Statement[] = [];
      for (const group of groups) {
        const { tenant } = group[0].key;
        const rows =
          group === first
            ? opened
            : (await tx.run(...closing, actFor(tenant), ...opening(consumer, group))).slice(closing.length + 1);
        const plan = planOf(consumer, group, rows);
        const offset = became.length;
        const runs = group
          .map((message, n) => ({ message, n }))
          .filter(({ message, n }) => plan.became[n] === 'done' && !message.passes);
        if (runs.length > 0)
          await ownQueries(tx, async (sql) => {
            const failed = await runEffects(consumer, sql, runs);
            if (failed === undefined) return;
            at = offset + failed.n;
            throw failed.error;
          });
        at = undefined;
        became.push(...plan.became);
        closing = plan.closing;
      }
      return { value: became, closing };
    });
  } catch (error) {
    throw new BatchFailed(error, at);
  }
}

/** Sorts a batch into the order in which overlapping ones take their locks. Messages of an aggregate stand in theirs. */
export function inBatchOrder({ locks }: Consumer, messages: readonly SoundMessage[]): readonly SoundMessage[] {
  return messages
    .map((message) => ({ message, locked: locks(message.event) }))
    .toSorted((one, other) => compareIn(one.message, other.message, compare(one.locked, other.locked)))
    .map(({ message }) => message);
}

function compareIn(one: SoundMessage, other: SoundMessage, byLock: number): number {
  return (
    compare(one.key.tenant, other.key.tenant) ||
    compare(one.key.environment, other.key.environment) ||
    byLock ||
    compare(one.key.source, other.key.source) ||
    compare(one.event.aggregate ?? '', other.event.aggregate ?? '') ||
    (one.event.sequence ?? 0) - (other.event.sequence ?? 0) ||
    compare(one.key.message, other.key.message)
  );
}

/** By code units, which is the same in every process. */
function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}

type Run = { readonly message: SoundMessage; readonly n: number };

/**
 * Effects that lock the same row run one after the other. Those of different rows need not wait for each other's answers, which is
 * most of the time that an effect takes.
 * @returns the first one that failed, after all have ended
 */
async function runEffects(
  { effect, locks }: Consumer,
  sql: RowClient,
  runs: readonly Run[],
): Promise<(Run & { readonly error: unknown }) | undefined> {
  let failed: (Run & { readonly error: unknown }) | undefined;
  const lanes = Map.groupBy(runs, ({ message }) => locks(message.event));
  await Promise.all(
    [...lanes.values()].map(async (lane) => {
      for (const run of lane) {
        if (failed !== undefined) return;
        try {
          await effect(sql, run.message.event);
        } catch (error) {
          failed ??= { ...run, error };
        }
      }
    }),
  );
  return failed;
}

type Group = readonly [SoundMessage, ...SoundMessage[]];

function byTenant(messages: readonly SoundMessage[]): readonly Group[] {
  const groups: [SoundMessage, ...SoundMessage[]][] = [];
  for (const message of messages) {
    const last = groups.at(-1);
    if (last?.[0].key.tenant === message.key.tenant) last.push(message);
    else groups.push([message]);
  }
  return groups;
}

function opening(consumer: Consumer, group: Group): readonly Statement[] {
  const keys = group.map(({ key }) => key);
  return consumer.order === 'any' ? [claimMessages(consumer, keys)] : beginInOrder(consumer, group);
}

function planOf(consumer: Consumer, group: Group, rows: readonly Row[][]): Plan {
  if (consumer.order === 'any') {
    const mine = claimed(rows[0] ?? []);
    return { became: group.map(({ key }) => (mine.has(inTenant(key)) ? 'done' : 'repeated')), closing: [] };
  }
  const placed = placeInOrder(consumer.order, group, rows);
  return { became: placed.became, closing: endInOrder(consumer, consumer.order, group, placed) };
}
