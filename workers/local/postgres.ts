import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { milliseconds, seconds } from '../../workflows/operation/duration.ts';
import { type Child, startChild } from './child.ts';
import type { Keeper } from './keeper.ts';
import { postgresBinaries } from './postgres-binaries.ts';
import { ensureCluster } from './postgres-cluster.ts';
import { postgresIdentity } from './postgres-identity.ts';
import { clearStalePostmaster } from './stale-postmaster.ts';
import { untilReady } from './until-ready.ts';

/** Nothing here trades durability for speed: fsync, synchronous_commit and full_page_writes are stated, never turned off. */
const settings = (port: number, memory: string): Record<string, string | number> => ({
  port,
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '', // a socket's path may not exceed 107 bytes, and a project's directory may
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  max_connections: 200, // a dozen pools of 10, and people who look in
  shared_buffers: memory,
  wal_compression: 'on',
  max_wal_size: '1GB',
  checkpoint_timeout: '15min', // each checkpoint is followed by full-page writes; recovery still takes seconds
  random_page_cost: 1.1, // laptops and cloud machines have solid-state disks
  jit: 'off', // short statements only: compiling one costs more than running it
  log_checkpoints: 'off',
  log_line_prefix: '%m [%p] %q%a ',
});

/**
 * Starts PostgreSQL 18 on 127.0.0.1 with a superuser and a database named hapax; ready when a query is answered. The
 * data and the generated password stay in `directory`, and the next start finds them there.
 */
export async function startPostgres(options: {
  directory: string;
  port: number;
  logFile: string;
  /** shared_buffers. */
  memory?: `${number}MB`;
  keeper?: Keeper | undefined;
}): Promise<{ url: string; pid: number; ended: Promise<unknown>; stop(patience?: number): Promise<void> }> {
  const directory = resolve(options.directory);
  const data = join(directory, 'data');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const [binaries, runsAs] = await Promise.all([postgresBinaries(), postgresIdentity(directory)]);
  const password = await ensureCluster(directory, binaries.initdb, runsAs);
  await clearStalePostmaster(data);

  const flags = Object.entries(settings(options.port, options.memory ?? '128MB'));
  const [command, ...args] = [
    ...runsAs.prefix,
    binaries.postgres,
    '-D',
    data,
    ...flags.flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
  const address = (database: string) => `postgres://hapax:${password}@127.0.0.1:${options.port}/${database}`;
  const start = async (): Promise<Child> => {
    const child = await startChild({
      command: command as string,
      args,
      logFile: options.logFile,
      keeper: options.keeper,
      stopSignal: 'SIGINT', // "fast" shutdown: SIGTERM would wait for every client to leave
      ...(runsAs.identity && { identity: runsAs.identity }),
    });
    await untilReady({
      what: 'PostgreSQL',
      child,
      probe: () => ensureDatabase(address),
      advice: `See ${options.logFile}; another port is set by HAPAX_POSTGRES_PORT, a PostgreSQL of your own by DATABASE_URL.`,
    });
    return child;
  };
  const child = await onceLeft(start);
  return {
    url: address('hapax'),
    pid: child.pid,
    ended: child.ended,
    stop: (patience = 5_000) => child.stop(patience),
  };
}

/** Sessions of a killed postmaster notice within a second or two, and exit. This allows for a busy machine. */
const leaving = seconds(15);
const lookAgain = milliseconds(250);

/** Starts, and tries again while sessions of a killed postmaster still hold its shared memory. */
async function onceLeft<T>(start: () => Promise<T>): Promise<T> {
  const end = Date.now() + leaving;
  for (;;) {
    try {
      return await start();
    } catch (fault) {
      const held = (fault as Error).message.includes('pre-existing shared memory block');
      if (!held || Date.now() > end) throw fault;
      await new Promise((resolve) => setTimeout(resolve, lookAgain));
    }
  }
}

async function ensureDatabase(address: (database: string) => string): Promise<void> {
  const ask = async (database: string, sql: string) => {
    const client = new pg.Client({ connectionString: address(database), connectionTimeoutMillis: 2_000 });
    client.on('error', () => {}); // the query itself fails too
    try {
      await client.connect();
      await client.query(sql);
    } finally {
      await client.end().catch(() => {});
    }
  };
  try {
    await ask('hapax', 'select 1');
  } catch (fault) {
    if ((fault as { code?: string }).code !== '3D000') throw fault; // invalid_catalog_name: no such database yet
    await ask('postgres', 'create database hapax');
  }
}
