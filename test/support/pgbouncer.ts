import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { startChild } from '../../workers/local/child.ts';
import { freePorts } from '../../workers/local/free-port.ts';
import { postgresIdentity } from '../../workers/local/postgres-identity.ts';
import { untilReady } from '../../workers/local/until-ready.ts';
import { systemBinary } from './system-binary.ts';

/** Debian's, or none on a developer's machine: then the tests that need one do not run. */
export const pgbouncerBinary = systemBinary('pgbouncer', 'pgbouncer');

export type PoolerSettings = {
  readonly pool_mode: 'session' | 'transaction';
  /** `options` drops what a session of the ledger begins with; without it PgBouncer 1.18 refuses such a session. */
  readonly ignore_startup_parameters?: 'options';
  readonly default_pool_size?: number;
  /** Statements for each new session, which end when PgBouncer gives it to another client. */
  readonly connect_query?: string;
};

/** A real PgBouncer in front of the test's PostgreSQL. It logs in as the address says, whoever asks. */
export async function startPgbouncer(root: string, target: string, { connect_query, ...settings }: PoolerSettings) {
  const [port = 0] = await freePorts(1);
  const directory = join(root, `pgbouncer-${port}`);
  await mkdir(directory, { recursive: true });
  const { hostname, port: targetPort, username, password, pathname } = new URL(target);
  const file = join(directory, 'pgbouncer.ini');
  const lines = [
    '[databases]',
    `* = host=${hostname} port=${targetPort} user=${username} password=${password}${connect_query === undefined ? '' : ` connect_query='${connect_query}'`}`,
    '[pgbouncer]',
    ...Object.entries({
      listen_addr: '127.0.0.1',
      listen_port: port,
      unix_socket_dir: '',
      auth_type: 'any',
      ...settings,
    }).map(([name, value]) => `${name} = ${value}`),
  ];
  await writeFile(file, `${lines.join('\n')}\n`);
  const url = `postgres://${username}@127.0.0.1:${port}${pathname}`;
  const { prefix, identity } = await postgresIdentity(directory);
  const [command, ...args] = [...prefix, pgbouncerBinary ?? 'pgbouncer', file];
  const child = await startChild({
    command: command as string,
    args,
    logFile: join(directory, 'log'),
    stopSignal: 'SIGTERM',
    ...(identity && { identity }),
  });
  await untilReady({ what: 'PgBouncer', child, probe: () => answers(url), advice: `See ${directory}/log.` });
  return { url, stop: () => child.stop(5_000) };
}

async function answers(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
  } finally {
    await client.end().catch(() => undefined);
  }
}
