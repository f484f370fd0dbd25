import type { Environment } from '../../../../workflows/operation/key.ts';
import type { Database } from '../database.ts';

type RecordedEvent = {
  readonly id: string;
  readonly tenant: string;
  readonly environment: Environment;
  readonly source: string;
  readonly event: string;
  readonly type: string;
  readonly object: string | null;
  /** As it was signed. */
  readonly body: Buffer;
  readonly sentAt: Date | null;
  readonly requestId: string;
  /** How long its id is known. Milliseconds. */
  readonly keep: number;
  readonly handlings: readonly { readonly id: string; readonly handler: string }[];
};

const news = `select pg_notify((select name from news_channel), '{"event":true}')`;

/** Wakes who handles events. A lost one costs half a second. */
export async function tellOfEvents(database: Database): Promise<void> {
  await database.alone({ name: 'tell_of_events', text: news, values: [] });
}

const text = 'select record_event($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) as recorded';

/**
 * Records an event, with what its handlers have to do. It is durable when this returns.
 * @returns whether it is new; what has come before changes nothing
 * @throws LedgerFault `unavailable`: nobody knows; the sender delivers it again
 */
export async function recordEvent(database: Database, event: RecordedEvent): Promise<boolean> {
  const [row] = await database.alone({
    name: 'record_event',
    text,
    values: [
      ...[event.id, event.tenant, event.environment, event.source, event.event, event.type, event.object],
      ...[event.body, event.sentAt, event.requestId, event.keep],
      event.handlings.map(({ handler }) => handler),
      event.handlings.map(({ id }) => id),
    ],
  });
  return row?.recorded === true;
}
