import { rm } from 'node:fs/promises';
import { join } from 'node:path';
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
      process.kill(-server.pid, 'SIGKILL');
      await server.ended;
    },
    async startAgain() {
      server = await start();
    },
    stop: () => server.stop(),
  };
}
