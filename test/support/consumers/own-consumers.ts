import { z } from 'zod';
import { type Consumer, defineConsumer } from '../../../activities/consume/define-consumer.ts';
import type { Order } from '../../../activities/consume/turn-of.ts';
import { Refused } from '../../../activities/stores/outcomes/refused.ts';
import { days, seconds } from '../../../workflows/operation/duration.ts';

/**
 * Where the effects of the tests' consumers are counted: nothing keeps a double away but the consumer. `mended` holds the messages
 * whose effects do not fail any more.
 */
export const bookTables = `
create schema tally;
create table tally.book (consumer text, tenant text, message text, aggregate text, sequence bigint, n integer,
  at bigint generated always as identity);
create table tally.mended (message text);
grant usage on schema tally to hapax_app;
grant select, insert on tally.book to hapax_app;
grant select on tally.mended to hapax_app`;

const data = z.object({
  n: z.int(),
  /** How the effect fails, until the message is mended. */
  poison: z.enum(['throws', 'bad-sql', 'swallowed', 'refuses']).optional(),
});

/** What happens in each effect after its row was written. */
type Reached = (consumer: string, message: string) => Promise<void>;

function booking(name: string, order: Order, reached: Reached): Consumer {
  return defineConsumer({
    name,
    from: { stream: 'HAPAX_EVENTS', subjects: [`hapax.*.*.${name}.>`], tenancy: 'subject' },
    types: { 'thing.happened': data },
    order,
    window: days(1),
    async effect(sql, event) {
      const values = [name, event.tenant, event.id, event.aggregate, event.sequence, event.data.n];
      await sql.query(
        'insert into tally.book (consumer, tenant, message, aggregate, sequence, n) values ($1, $2, $3, $4, $5, $6)',
        values,
      );
      await reached(name, event.id);
      const mended = await sql.query('select from tally.mended where message = $1', [event.id]);
      if (event.data.poison === undefined || mended.rowCount !== 0) return;
      switch (event.data.poison) {
        case 'throws':
          throw new Error('A poisonous message');
        case 'bad-sql':
          await sql.query('select 1 / 0');
          break;
        case 'swallowed':
          await sql.query('select 1 / 0').catch(() => undefined);
          break;
        case 'refuses':
          throw new Refused({ code: 'not-found', detail: 'It is of no use' });
      }
    },
  });
}

/**
 * The consumers of the tests' own: each keeps an order in its own way, and books what it has done.
 * @param patience of those that do not wait for long. Milliseconds
 */
export function ownConsumers(reached: Reached = async () => undefined, patience = seconds(1)) {
  const wait = { by: 'sequence', gap: 'wait' } as const;
  return {
    any: booking('any', 'any', reached),
    other: booking('other', 'any', reached),
    latest: booking('latest', { by: 'sequence', gap: 'skip' }, reached),
    ordered: booking('ordered', { ...wait, patience: days(1), after: 'hold' }, reached),
    impatient: booking('impatient', { ...wait, patience, after: 'hold' }, reached),
    skipping: booking('skipping', { ...wait, patience, after: 'skip' }, reached),
  };
}
