import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connectNats } from '../../activities/stores/nats/connect-nats.ts';
import { type Child, startChild } from './child.ts';
import type { Keeper } from './keeper.ts';
import { untilReady } from './until-ready.ts';

/**
 * Starts nats-server with JetStream on 127.0.0.1; ready when JetStream answers. Streams lie in `directory`, and the next
 * start finds them there.
 */
export async function startNats(options: {
  /** As found by `findNatsServer`. */
  binary: string;
  directory: string;
  port: number;
  logFile: string;
  keeper?: Keeper | undefined;
}): Promise<Child & { url: string }> {
  const directory = resolve(options.directory);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, 'nats.conf');
  await writeFile(file, configuration(options.port, join(directory, 'jetstream')));
  const child = await startChild({
    command: options.binary,
    args: ['--config', file],
    logFile: options.logFile,
    keeper: options.keeper,
  });
  const url = `nats://127.0.0.1:${options.port}`;
  await untilReady({
    what: 'The broker',
    child,
    probe: () => expectJetStream(url),
    advice: `See ${options.logFile}; another port is set by HAPAX_NATS_PORT, a broker of your own by NATS_URL.`,
  });
  return { ...child, url };
}

/**
 * A file, because no flag says when what was written goes to the disk. An acknowledged message must not be lost with the
 * machine, so it goes there before the acknowledgement.
 */
function configuration(port: number, store: string): string {
  return [
    `listen: "127.0.0.1:${port}"`,
    'jetstream {',
    `  store_dir: ${JSON.stringify(store)}`,
    '  sync_interval: always',
    '}',
    '',
  ].join('\n');
}

/** @throws why nothing there can be used as a broker */
export async function expectJetStream(url: string, credentials?: string): Promise<void> {
  const connection = await connectNats(url, { name: 'hapax start', credentials, persists: false });
  try {
    await jetstreamManager(connection);
  } finally {
    await connection.close();
  }
}
