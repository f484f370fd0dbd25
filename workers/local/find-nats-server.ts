import { arch, platform } from 'node:os';
import { type FindOptions, findPublished } from './find-published.ts';

const version = '2.15.3';

/**
 * Finds nats-server, the local broker.
 * @throws naming NATS_SERVER and NATS_URL, and every place that was tried
 */
export function findNatsServer(options: FindOptions): Promise<string> {
  return findPublished(
    {
      what: 'The broker nats-server',
      advice:
        'Install it (https://github.com/nats-io/nats-server) and set NATS_SERVER to its path, or set NATS_URL to a running broker with JetStream.',
      variable: 'NATS_SERVER',
      name: 'nats-server',
      version,
      releases: 'https://github.com/nats-io/nats-server/releases/download',
      archive: `nats-server-v${version}-${platform()}-${arch() === 'x64' ? 'amd64' : arch()}`,
      digests: 'SHA256SUMS',
      source: 'github.com/nats-io/nats-server/v2',
    },
    options,
  );
}
