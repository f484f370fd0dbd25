import { arch, platform } from 'node:os';
import { type FindOptions, findPublished } from './find-published.ts';

const version = '1.8.0';

/**
 * Finds versitygw, the local S3 server.
 * @throws naming VERSITYGW and S3_ENDPOINT, and every place that was tried
 */
export function findVersitygw(options: FindOptions): Promise<string> {
  const system = platform() === 'darwin' ? 'Darwin' : 'Linux';
  return findPublished(
    {
      what: 'The S3 server versitygw',
      advice:
        'Install it (https://github.com/versity/versitygw) and set VERSITYGW to its path, or set S3_ENDPOINT to a running S3 server.',
      variable: 'VERSITYGW',
      name: 'versitygw',
      version,
      releases: 'https://github.com/versity/versitygw/releases/download',
      archive: `versitygw_v${version}_${system}_${arch() === 'x64' ? 'x86_64' : arch()}`,
      digests: 'checksums.txt',
      source: 'github.com/versity/versitygw/cmd/versitygw',
    },
    options,
  );
}
