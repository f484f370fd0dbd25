import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../../workers/config.ts';
import { findNatsServer } from '../../workers/local/find-nats-server.ts';
import { findTemporal } from '../../workers/local/find-temporal.ts';
import { findVersitygw } from '../../workers/local/find-versitygw.ts';
import { freePorts } from '../../workers/local/free-port.ts';
import { startKeeper } from '../../workers/local/keeper.ts';
import { startPostgres } from '../../workers/local/postgres.ts';
import { startS3 } from '../../workers/local/s3.ts';
import { startTemporal } from '../../workers/local/temporal.ts';

export type Embedded = Awaited<ReturnType<typeof startEmbedded>>;

/** The real servers that tests and benches run against, on free ports and in a directory of their own. */
export async function startEmbedded() {
  const settings = readConfig(['TEMPORAL_CLI', 'VERSITYGW', 'NATS_SERVER', 'PATH', 'HAPAX_STATE_DIRECTORY']);
  const cache = join(settings.HAPAX_STATE_DIRECTORY, 'cache', 'bin');
  const say = (line: string): void => console.log(line);
  const keeper = startKeeper();
  const [postgresPort = 0, temporalPort = 0, s3Port = 0] = await freePorts(3);
  const root = await mkdtemp(join(tmpdir(), 'hapax-test-'));
  const [postgres, temporal, s3, natsServer] = await Promise.all([
    startPostgres({ directory: `${root}/postgres`, port: postgresPort, logFile: `${root}/postgres.log`, keeper }),
    findTemporal({ chosen: settings.TEMPORAL_CLI, path: settings.PATH, cache, say }).then((binary) =>
      startTemporal({
        binary,
        directory: `${root}/temporal`,
        port: temporalPort,
        logFile: `${root}/temporal.log`,
        persist: false,
        keeper,
      }),
    ),
    findVersitygw({ chosen: settings.VERSITYGW, path: settings.PATH, cache, say }).then((binary) =>
      startS3({ binary, directory: `${root}/s3`, port: s3Port, logFile: `${root}/s3.log`, keeper }),
    ),
    // The tests that need a broker start one of their own; to build it takes longer than a test may.
    findNatsServer({ chosen: settings.NATS_SERVER, path: settings.PATH, cache, say }),
  ]);
  return {
    root,
    keeper,
    postgres,
    temporal,
    s3,
    /** The program. */
    natsServer,
    async stop() {
      await Promise.all([postgres.stop(), temporal.stop(), s3.stop()]);
      await keeper.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}
