import type { Environment } from '../../../../workflows/operation/key.ts';
import type { Database, Row } from '../database.ts';

/** The channels on which messages leave: to people, and to the systems of tenants. */
export type Channel = 'mail' | 'sms' | 'webhook';

/** Where a webhook goes, and what its event says besides. */
export type Webhook = {
  readonly endpoint: string;
  readonly url: string;
  /** Nothing is sent until it is enabled again. */
  readonly disabled: boolean;
  /** Its event was told while it was being deleted: it goes nowhere. */
  readonly deleted: boolean;
  /** Those that sign, the newest first. */
  readonly secrets: readonly string[];
  readonly event: { readonly aggregate: string; readonly sequence: number; readonly cause: string | null };
};

/** A message that is due, leased to one sender. */
export type Delivery = {
  readonly id: string;
  readonly fence: bigint;
  /** Where an earlier try had no clear answer, or its sender died: the first system that may have taken it, and for how long. */
  readonly mayHaveLeft: { readonly by: string; readonly ago: number } | undefined;
  /** This one included. */
  readonly tries: number;
  /** Since it was told, or since its replay. Milliseconds. */
  readonly dueFor: number;
  readonly message: {
    readonly id: string;
    readonly tenant: string;
    readonly environment: Environment;
    readonly channel: Channel;
    /** What it is about. */
    readonly about: string;
    readonly operation: string;
    readonly type: string;
    readonly payload: unknown;
    readonly occurredAt: Date;
  };
  /** Of a webhook alone. */
  readonly webhook?: Webhook;
};

/** Why it has not left, as far as we know. */
type NotSent = {
  readonly code: string;
  readonly detail: string;
  /** Whether it may have left all the same, by this try or an earlier one. */
  readonly doubted: boolean;
};

/** What has become of it. */
export type Delivered =
  | { readonly state: 'sent' }
  /** The data of its subject were erased before it left, or its endpoint was deleted: it goes to nobody. */
  | { readonly state: 'erased' }
  /** Tried again after the pause, in milliseconds. What our own protection held back, or a stop of ours, was no try. */
  | (NotSent & { readonly state: 'due'; readonly pause: number; readonly heldBack: boolean })
  /** A person has to look at it. What was held back has met nothing, so that what an earlier try has met is the reason. */
  | (NotSent & { readonly state: 'failed'; readonly heldBack?: boolean });

const take = `
select id, fence, tries, due_ms, message_id, tenant, environment, channel, aggregate_id, operation_id, type, payload, occurred_at,
  may_have_left_by, may_have_left_ms
from take_deliveries($1, $2, $3)`;

/** @param lease how long no other sender takes what this one takes. Milliseconds */
export async function takeDeliveries(
  database: Database,
  channels: readonly Channel[],
  atMost: number,
  lease: number,
): Promise<readonly Delivery[]> {
  const rows = await database.alone({ name: 'take_deliveries', text: take, values: [channels, atMost, lease] });
  return rows.map(deliveryOf);
}

/** @returns the ids of those that the sender still has */
export async function keepDeliveries(
  database: Database,
  held: readonly Delivery[],
  lease: number,
): Promise<ReadonlySet<string>> {
  const rows = await database.alone({
    name: 'keep_deliveries',
    text: 'select keep_deliveries as id from keep_deliveries($1, $2, $3)',
    values: [held.map(({ id }) => id), held.map(({ fence }) => fence), lease],
  });
  return new Set(rows.map(({ id }) => id as string));
}

/**
 * Commits that the message is about to be handed over to a system. It may have left from then on.
 * @returns false where another sender has it
 */
export async function beginSending(
  database: Database,
  { id, fence }: Delivery,
  by: string,
  lease: number,
): Promise<boolean> {
  const rows = await database.alone({
    name: 'begin_sending_by',
    text: 'select begin_sending($1, $2, $3, $4) as begun',
    values: [id, fence, lease, by],
  });
  return rows[0]?.begun === true;
}

/** Records what has become of it, unless another sender has it; that it has left, also then. */
export async function endSending(database: Database, { id, fence }: Delivery, became: Delivered): Promise<void> {
  // Of what was erased stays whether it may have left.
  const [code, detail, doubted] =
    'code' in became ? [became.code, became.detail, became.doubted] : [null, null, became.state === 'erased'];
  const pause = became.state === 'due' ? became.pause : 0;
  const heldBack = 'heldBack' in became && became.heldBack === true;
  await database.alone({
    name: 'end_sending_doubted',
    text: 'select end_sending($1, $2, $3, $4, $5, $6, $7, $8)',
    values: [id, fence, became.state, code, detail, pause, heldBack, doubted],
  });
}

/** Most of the table is sent. Each of the three parts has an index without that. */
const count = `
select channel, state, count(*)::integer as count from delivery
where endpoint_id is null and state in ('due', 'sending') group by 1, 2
union all
select channel, state, count(*)::integer from delivery
where endpoint_id is not null and state in ('due', 'sending') group by 1, 2
union all
select channel, state, count(*)::integer from delivery where state = 'failed' group by 1, 2`;

/** What is not sent, by channel and state. */
export async function countDeliveries(
  database: Database,
): Promise<readonly { readonly channel: Channel; readonly state: string; readonly count: number }[]> {
  const rows = await database.alone({ name: 'count_deliveries', text: count, values: [] });
  return rows as unknown as readonly { channel: Channel; state: string; count: number }[];
}

/** Reads a row that was taken. */
export function deliveryOf(row: Row): Delivery {
  return {
    id: row.id as string,
    fence: BigInt(row.fence as string),
    mayHaveLeft:
      row.may_have_left_by === null
        ? undefined
        : { by: row.may_have_left_by as string, ago: Number(row.may_have_left_ms) },
    tries: row.tries as number,
    dueFor: Number(row.due_ms),
    message: {
      id: row.message_id as string,
      tenant: row.tenant as string,
      environment: row.environment as Environment,
      channel: row.channel as Channel,
      about: row.aggregate_id as string,
      operation: row.operation_id as string,
      type: row.type as string,
      payload: row.payload,
      occurredAt: row.occurred_at as Date,
    },
  };
}
