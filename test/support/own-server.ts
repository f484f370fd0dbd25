import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { readConfig } from '../../workers/config.ts';
import { findTemporal } from '../../workers/local/find-temporal.ts';
import { freePorts } from '../../workers/local/free-port.ts';
import { startPostgres } from '../../workers/local/postgres.ts';
import { startTemporal } from '../../workers/local/temporal.ts';
import { migrate } from '../../workers/migrate.ts';
import { databaseNamed } from './database-named.ts';
import type { Ground } from './global-setup.ts';

/** A Temporal server of a test's own, which it may take away from its worlds with all that it remembers. */
export async function ownTemporal({ root }: Ground) {
  const { TEMPORAL_CLI, PATH, HAPAX_STATE_DIRECTORY } = readConfig(['TEMPORAL_CLI', 'PATH', 'HAPAX_STATE_DIRECTORY']);
  const cache = join(HAPAX_STATE_DIRECTORY, 'cache', 'bin');
  const binary = await findTemporal({ chosen: TEMPORAL_CLI, path: PATH, cache, say: console.log });
  const [port = 0] = await freePorts(1);
  const directory = join(root, `temporal-${port}`);
  const start = () => startTemporal({ binary, directory, port, logFile: `${directory}.log`, persist: true });
  let server = await start();
  return {
    address: server.address,
    /** As when its machine is lost: killed, and its whole database deleted. */
    async lose() {
      process.kill(server.pid, 'SIGKILL');
      await server.ended;
      await rm(directory, { recursive: true, force: true });
    },
    async startAnew() {
      server = await start();
    },
    stop: () => server.stop(),
  };
}

/** A PostgreSQL server of a test's own, which it may kill. @returns the ground that stands on it */
export async function ownPostgres(ground: Ground) {
  const [port = 0] = await freePorts(1);
  const directory = join(ground.root, `postgres-${port}`);
  const start = () => startPostgres({ directory, port, logFile: `${directory}.log` });
  let server = await start();
  await migrate(await databaseNamed(server.url, ground.template), () => undefined);
  return {
    ground: { ...ground, postgresUrl: server.url },
    /** The postmaster and all its sessions at once, without a word: what was not on the disk is gone. */
    async kill() {
      // A session is a process group of its own, and outlives its postmaster by a query.
      const sessions = await sessionsOf(server.url);
      process.kill(-server.pid, 'SIGKILL');
      for (const pid of sessions) killed(pid);
      await server.ended;
    },
    async startAgain() {
      server = await start();
    },
    stop: () => server.stop(),
  };
}

async function sessionsOf(url: string): Promise<number[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  const { rows } = await client.query<{ pid: number }>('select pid from pg_stat_activity');
  return rows.map(({ pid }) => pid);
}

function killed(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // It has followed its postmaster already.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
