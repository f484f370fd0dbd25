import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import pg from 'pg';
import { readConfig } from '../../../workers/config.ts';
import { findNatsServer } from '../../../workers/local/find-nats-server.ts';
import { NatsServer } from '../../support/nats-server.ts';
import { ProcessHandle } from '../../support/process-handle.ts';
import type { Figure } from '../measure/figure.ts';
import { median } from '../measure/statistics.ts';
import type { Part } from '../part.ts';

/** Messages of a round: some seconds of work, so that the start of the process does not count. */
const inRound = 10_000;
/** A message of the product, and as many subjects as a small tenant has people. */
const subjects = 100;
const stream = 'HAPAX_EVENTS';

type Round = { readonly fresh: number; readonly repeated: number };

/** One consumer process beside its broker and PostgreSQL, all on this machine: messages that are new, and the same ones again. */
export const consumerPart: Part = async ({ servers, rounds: count, say }) => {
  const settings = readConfig(['NATS_SERVER', 'PATH', 'HAPAX_STATE_DIRECTORY']);
  const cache = join(settings.HAPAX_STATE_DIRECTORY, 'cache', 'bin');
  const binary = await findNatsServer({ chosen: settings.NATS_SERVER, path: settings.PATH, cache, say });
  const broker = await NatsServer.start(binary, servers.root);
  const sql = new pg.Pool({ connectionString: servers.postgres.url, max: 1 });
  const env = { DATABASE_URL: servers.postgres.url, NATS_URL: broker.url, HAPAX_LOG_LEVEL: 'warn' };
  const rounds: Round[] = [];
  try {
    await broker.ask(async (connection) => {
      await (await jetstreamManager(connection)).streams.add({ name: stream, subjects: ['hapax.>'] });
    });
    for (let number = 0; number < count; number += 1) {
      const ids = Array.from({ length: inRound }, (_, n) => `msg_${number}_${n}`);
      const perSecond = async (became: 'done' | 'repeated'): Promise<number> => {
        await publish(broker, ids);
        const consumer = await ProcessHandle.start('workers/consumer.ts', {
          env,
          logFile: join(servers.root, 'consumer.log'),
        });
        const rate = await rateOf(consumer.address, became);
        await consumer.stop();
        return rate;
      };
      const round = { fresh: await perSecond('done'), repeated: await perSecond('repeated') };
      rounds.push(round);
      say(
        `consumer: round ${number + 1} of ${count}: ${Math.round(round.fresh)} and ${Math.round(round.repeated)} a second`,
      );
    }
    const { rows } = await sql.query<{ uploads: number }>(
      `select coalesce(sum(uploads), 0)::integer as uploads from hapax.upload_usage where tenant = 'bench'`,
    );
    if (rows[0]?.uploads !== inRound * count)
      throw new Error(`${rows[0]?.uploads} uploads were added up, and ${inRound * count} were told.`);
  } finally {
    await sql.end();
    await broker.stop();
  }
  const of = (kind: keyof Round): number => median(rounds.map((round) => round[kind]));
  const figures: Figure[] = [
    { name: 'messages consumed once', unit: '/s', value: of('fresh'), target: { atLeast: 2_000 } },
    { name: 'messages that were consumed before', unit: '/s', value: of('repeated'), target: { atLeast: 5_000 } },
  ];
  return { figures, raw: rounds };
};

async function publish(broker: NatsServer, ids: readonly string[]): Promise<void> {
  await broker.ask(async (connection) => {
    const client = jetstream(connection);
    for (let at = 0; at < ids.length; at += 500)
      await Promise.all(
        ids.slice(at, at + 500).map((id) => client.publish(`hapax.bench.test.upload.${id}`, bodyOf(id))),
      );
  });
}

function bodyOf(id: string): string {
  const data = {
    environment: 'test',
    subject: `subject-${Number(id.split('_')[2]) % subjects}`,
    asset: id,
    bytes: 123_456,
    stored: 0,
  };
  return JSON.stringify({
    ...{ specversion: '1.0', id, source: '/hapax/bench/test', type: 'upload.used', subject: `upload/${id}` },
    ...{ time: new Date().toISOString(), sequence: '0000000000000000001', hapaxoperation: id, data },
  });
}

/** From the first batch that ended to the last one, by the process's own counter. */
async function rateOf(address: string, became: string): Promise<number> {
  let first: { readonly at: number; readonly counted: number } | undefined;
  for (;;) {
    const text = await (await fetch(`${address}/metrics`)).text();
    const counted = Number(
      new RegExp(`hapax_consumed_total\\{consumer="usage",became="${became}"\\} (\\d+)`).exec(text)?.[1] ?? 0,
    );
    const at = performance.now();
    if (counted > 0) first ??= { at, counted };
    if (first !== undefined && counted >= inRound) return ((counted - first.counted) * 1_000) / (at - first.at);
    await pause(50);
  }
}
