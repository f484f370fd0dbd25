import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import pg from 'pg';
import { findNatsServer } from '../../../workers/local/find-nats-server.ts';
import { readConfig } from '../../../workers/config.ts';
import { messageId } from '../../../workflows/operation/key.ts';
import { NatsServer } from '../../support/nats-server.ts';
import { ProcessHandle } from '../../support/process-handle.ts';
import type { Figure } from '../measure/figure.ts';
import { median, percentile } from '../measure/statistics.ts';
import type { Part } from '../part.ts';

/** Told in one go, to be published as fast as the relay can. */
const backlog = 12_000;
/** As many as a shop has that sells something every minute or so. */
const aggregates = 1_000;
/** Told evenly, beside the relay. Events in a second, and seconds. */
const steady = { perSecond: 1_000, seconds: 4, together: 50 } as const;
/** About what `upload.used` has to say. */
const payload = JSON.stringify({ asset: 'ast_bench', bytes: 123_456, name: 'x'.repeat(300) });

const operation = `op_${'b'.repeat(26)}`;
const tellMany = `select count(hapax.tell(id, $2, 'event', 'order', 'bench-' || (n % $3), 'order.told', $4::jsonb))
  from unnest($1::text[]) with ordinality as told (id, n)`;

/** One relay beside its outbox and its broker, all on this machine. The broker's file is flushed before each acknowledgement. */
export const relayPart: Part = async ({ servers, rounds, say }) => {
  const settings = readConfig(['NATS_SERVER', 'PATH', 'HAPAX_STATE_DIRECTORY']);
  const cache = join(settings.HAPAX_STATE_DIRECTORY, 'cache', 'bin');
  const binary = await findNatsServer({ chosen: settings.NATS_SERVER, path: settings.PATH, cache, say });
  const broker = await NatsServer.start(binary, servers.root);
  const sql = new pg.Pool({ connectionString: servers.postgres.url, max: 3 });
  await sql.query(
    `insert into hapax.operation (id, tenant, environment, subject, key_subject, flow, flow_version, key, generation, fingerprint,
       fingerprint_version, request, request_id, state)
     values ($1, 'alpha', 'test', 'ann', 'ann', 'checkout', 1, $1, 1, 'f', 1, '{}', 'req_1', 'claimed') on conflict do nothing`,
    [operation],
  );
  const relay = await ProcessHandle.start('workers/relay.ts', {
    env: { DATABASE_URL: servers.postgres.url, NATS_URL: broker.url, HAPAX_LOG_LEVEL: 'warn' },
    logFile: join(servers.root, 'relay.log'),
  });
  let told = 0;
  const tell = async (count: number): Promise<void> => {
    const ids = Array.from({ length: count }, () => messageId(operation, `bench-${(told += 1)}`));
    await sql.query(tellMany, [ids, operation, aggregates, payload]);
  };
  const untilPublished = async (): Promise<void> => {
    for (;;) {
      const { rows } = await sql.query(`select from hapax.publication where state = 'due' limit 1`);
      if (rows.length === 0) return;
      await pause(20);
    }
  };
  const measured: { perSecond: number; lags: number[] }[] = [];
  try {
    for (let number = -1; number < rounds; number += 1) {
      await tell(backlog);
      const begun = performance.now();
      await untilPublished();
      const perSecond = backlog / ((performance.now() - begun) / 1_000);
      const lags = await steadily(sql, tell, untilPublished);
      if (number < 0) continue;
      measured.push({ perSecond, lags });
      say(`relay: round ${number + 1} of ${rounds}: ${Math.round(perSecond)} a second`);
    }
    const stored = await broker.ask(async (connection) => {
      const { streams } = await jetstreamManager(connection);
      return (await streams.info('HAPAX_EVENTS')).state.messages;
    });
    if (stored !== told) throw new Error(`The stream holds ${stored} messages, and ${told} were told.`);
    return { figures: figuresOf(measured), raw: measured.map(({ perSecond, lags }) => summary(perSecond, lags)) };
  } finally {
    await relay.stop();
    await sql.end();
    await broker.stop();
  }
};

/** @returns milliseconds from the step that told an event to its record as published */
async function steadily(
  sql: pg.Pool,
  tell: (count: number) => Promise<void>,
  untilPublished: () => Promise<void>,
): Promise<number[]> {
  const { rows: before } = await sql.query<{ place: string }>('select max(place) as place from hapax.publication');
  const { perSecond, seconds, together } = steady;
  const begun = performance.now();
  for (let n = 0; n < (perSecond * seconds) / together; n += 1) {
    await tell(together);
    const next = begun + ((n + 1) * together * 1_000) / perSecond;
    await pause(Math.max(0, next - performance.now()));
  }
  await untilPublished();
  const { rows } = await sql.query<{ lag: number }>(
    `select (extract(epoch from p.published_at - o.occurred_at) * 1000)::float8 as lag
     from hapax.publication p join hapax.outbox o on o.id = p.message_id where p.place > $1`,
    [before[0]?.place ?? 0],
  );
  return rows.map(({ lag }) => lag);
}

const summary = (perSecond: number, lags: readonly number[]) => ({
  perSecond,
  p50: percentile(lags, 0.5),
  p95: percentile(lags, 0.95),
});

function figuresOf(measured: readonly { perSecond: number; lags: number[] }[]): Figure[] {
  const lag = (share: number) => median(measured.map(({ lags }) => percentile(lags, share)));
  return [
    {
      name: 'events published, of a backlog',
      unit: '/s',
      value: median(measured.map(({ perSecond }) => perSecond)),
      target: { atLeast: 3_000 },
    },
    { name: `lag of an event at ${steady.perSecond} a second, p50`, unit: 'ms', value: lag(0.5) },
    { name: `lag of an event at ${steady.perSecond} a second, p95`, unit: 'ms', value: lag(0.95) },
  ];
}
