import { Counter, collectDefaultMetrics, Gauge, Registry } from '@prometheus-io/client';
import { integrityCause } from '../workflows/operation/integrity.ts';
import type { Refusal } from '../workflows/operation/outcome.ts';

/** The metrics of this process. Keys, ids and tenants are never labels: look for them in the ledger. */
export const registry = new Registry();

collectDefaultMetrics({ register: registry, prefix: 'hapax_' });

/** Requests for operations, by decision and by the layer that made it: the hits, misses and conflicts of each layer. */
export const requests = new Counter({
  name: 'hapax_requests_total',
  help: 'Requests for operations, by flow, decision (created, joined, replayed, refused, not-admitted, overloaded) and the layer that decided',
  labelNames: ['flow', 'decision', 'layer'],
  registers: [registry],
});

/** Looks for a copy of a settled answer in Redis. PostgreSQL decides wherever it is no hit. */
export const copies = new Counter({
  name: 'hapax_answer_copies_total',
  help: 'Looks for a copy of a settled answer in Redis: hit, miss, ignored (it did not verify) or away (no answer in time)',
  labelNames: ['became'],
  registers: [registry],
});

/** Problems that were answered, by their code. */
export const problems = new Counter({
  name: 'hapax_problems_total',
  help: 'Problems that this process has answered, by their code',
  labelNames: ['code'],
  registers: [registry],
});

/** Bytes that are not what they should be. Networks and stores that fail are not among them: see `hapax_upload_bodies_total`. */
const integrity = new Counter({
  name: 'hapax_integrity_failures_total',
  help: 'Bytes that were refused, by what was wrong: size, part-checksum, whole-hash, type, assembly, protocol or proxy',
  labelNames: ['cause'],
  registers: [registry],
});

export function countIntegrity(refusal: Refusal): void {
  const cause = integrityCause(refusal);
  if (cause !== undefined) integrity.inc({ cause });
}

/** Bodies of uploads, each an attempt to bring bytes. */
export const bodies = new Counter({
  name: 'hapax_upload_bodies_total',
  help: 'Bodies of uploads, by method, by how they ended (kept, cut, late, refused, failed) and by the kind of their client',
  labelNames: ['method', 'ended', 'browser', 'device', 'network'],
  registers: [registry],
});

/** What people met at their screens. A screen's name is the application's, and no label. */
export const beacons = new Counter({
  name: 'hapax_beacons_total',
  help: 'Friction that clients have told of, by signal (repeated-click, dialog-reopened, same-file-selected, refresh-while-pending, recovered) and by the kind of their client',
  labelNames: ['signal', 'browser', 'device', 'network'],
  registers: [registry],
});

/** Deliveries of events, each an attempt of its sender. */
export const deliveries = new Counter({
  name: 'hapax_event_deliveries_total',
  help: 'Deliveries of events, by source and by what became of them: recorded, repeated, or the code by which they were refused',
  labelNames: ['source', 'became'],
  registers: [registry],
});

/** What handlers have still to do, as upkeep last counted it. */
export const handlings = new Gauge({
  name: 'hapax_event_handlings',
  help: 'Events that are not handled, by handler and state (due, parked, dead)',
  labelNames: ['handler', 'state'],
  registers: [registry],
});

/** Messages that have not left, as the mail process last counted them. */
export const messages = new Gauge({
  name: 'hapax_messages',
  help: 'Messages that have not left, by channel (mail, sms, webhook) and state (due, sending, failed)',
  labelNames: ['channel', 'state'],
  registers: [registry],
});

/** Tries to let a message leave. */
export const messagesSent = new Counter({
  name: 'hapax_message_tries_total',
  help: 'Tries to let a message leave, by channel and by what became of it: sent, due (tried again), failed, taken-over',
  labelNames: ['channel', 'became'],
  registers: [registry],
});

/** Messages that consumers were given, and what became of each. */
export const consumed = new Counter({
  name: 'hapax_consumed_total',
  help: 'Messages by consumer and by what became of them: done, repeated, stale, waiting, gap, failed or due (tried again), dead, too-far, ignored, nobodys',
  labelNames: ['consumer', 'became'],
  registers: [registry],
});

/** What consumers have not done, as the consumer process last counted it. */
export const held = new Gauge({
  name: 'hapax_consumer_messages',
  help: 'Messages that PostgreSQL keeps for a consumer, by state: due, waiting (for an earlier one), parked (a gap), dead; and undelivered ones of the stream as behind',
  labelNames: ['consumer', 'state'],
  registers: [registry],
});

/** Calls of outside systems that were made, each a try of a step or of an undo, or a look. */
export const callsOutside = new Counter({
  name: 'hapax_outside_calls_total',
  help: 'Calls of outside systems that were made, by system and kind: first, retry (the same was sent before) or look',
  labelNames: ['system', 'kind'],
  registers: [registry],
});

/** Calls of outside systems that were not made. Each is tried again later. */
export const turnedAway = new Counter({
  name: 'hapax_outside_turned_away_total',
  help: 'Calls of outside systems that were not made, by system and by what turned them away: breaker, bulkhead or retry-budget',
  labelNames: ['system', 'by'],
  registers: [registry],
});

/** Which outside systems are left alone because they give no clear answers. */
export const breakers = new Gauge({
  name: 'hapax_outside_breaker_open',
  help: '1 while the breaker before the outside system is open in this process, 0 while it is closed; for webhook, how many endpoints have an open one',
  labelNames: ['system'],
  registers: [registry],
});

/** Open operations, as upkeep last counted them. */
export const open = new Gauge({
  name: 'hapax_open_operations',
  help: 'Operations that have not settled, by flow and state',
  labelNames: ['flow', 'state'],
  registers: [registry],
});

/** What the newest pass over the bucket has found. */
export const sweepTotals = new Gauge({
  name: 'hapax_sweep_newest',
  help: 'The newest pass over the bucket: things lookedAt, removed, lost, notOurs and failed, and bytes removed; troubles: what is not mended yet; held-back is 1 while nothing is removed since rows may be missing',
  labelNames: ['what'],
  registers: [registry],
});

/** `files` over `contents` is what dedup saves; `stored` and `unexplained` over `contents` is duplication. */
export const storage = new Gauge({
  name: 'hapax_storage_bytes',
  help: 'Bytes of files, of the contents that they share, stored for them, derived from them, and unexplained, as of the newest pass',
  labelNames: ['what'],
  registers: [registry],
});

/** Uploads by what has become of them: created is the sum of the others. */
export const uploads = new Gauge({
  name: 'hapax_uploads',
  help: 'Uploads that were created, and of them finalized, failed, cancelled, expired and active, counted every ten minutes',
  labelNames: ['became'],
  registers: [registry],
});

/** Open operations that make no progress, as upkeep last counted them. */
export const troubled = new Gauge({
  name: 'hapax_troubled_operations',
  help: 'Operations that make no progress, by flow, step and whether a person is needed',
  labelNames: ['flow', 'step', 'needs_person'],
  registers: [registry],
});

/** Shows how many awaited round trips to PostgreSQL this process has made. */
export function countFlushes(read: () => number): void {
  new Gauge({
    name: 'hapax_postgres_flushes',
    help: 'Awaited round trips to PostgreSQL since the start',
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

/** Shows how many event streams are open in this process. */
export function showStreams(read: () => number): void {
  new Gauge({
    name: 'hapax_event_streams',
    help: 'Event streams that are open: screens that follow an operation',
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

/** Shows the figures by which this process admits new operations. */
export function showAdmission(
  read: () => { readonly inHand: number; readonly limit: number; readonly capacity: number },
): void {
  const gauges = {
    inHand: [
      'hapax_admission_in_hand',
      'Operations that workers have in hand or that wait for one, over all processes',
    ],
    limit: ['hapax_admission_limit', 'Operations that may be in hand before new ones are refused as overloaded'],
    capacity: ['hapax_admission_capacity', 'Operations that the workers finish in a second, as far as measured'],
  } as const;
  for (const [member, [name, help]] of Object.entries(gauges))
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read()[member as keyof typeof gauges]);
      },
    });
}

export async function metricsText(): Promise<string> {
  return await registry.metrics();
}
