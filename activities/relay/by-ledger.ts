import type { Shard } from '../stores/postgres/outbox/due-events.ts';
import type { Way } from './pass.ts';

/** Events that one short transaction puts into a log. */
const atMost = 1_000;

type ByLedgerParts = {
  /** @returns how many were published; undefined where another relay has taken the shard */
  readonly publish: (shard: Shard, atMost: number) => Promise<number | undefined>;
  readonly count: (published: number) => void;
};

/** The way of events without a broker: they are read from the log of the ledger. To record an event is to publish it. */
export function byLedger({ publish, count }: ByLedgerParts): Way {
  return {
    called: 'PostgreSQL',
    prove: async () => undefined,
    async pass(shard) {
      const published = await publish(shard, atMost);
      if (published === undefined) return { state: 'lost' };
      count(published);
      return { state: 'done', more: published === atMost };
    },
  };
}
