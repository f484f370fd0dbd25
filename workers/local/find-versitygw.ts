import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { arch, platform } from 'node:os';
import { join, resolve } from 'node:path';
import { downloadFile, downloadText } from './download.ts';
import { atPath, findBinary, onPath } from './find-binary.ts';
import { installBinary } from './install-binary.ts';
import { runCommand } from './run-command.ts';
import type { Say } from './say.ts';

const version = '1.8.0';

/**
 * Finds versitygw, the local S3 server: the one chosen, found, fetched earlier, or fetched now.
 * @throws naming VERSITYGW and S3_ENDPOINT, and every place that was tried
 */
export async function findVersitygw(options: {
  /** VERSITYGW. */
  chosen?: string | undefined;
  /** PATH. */
  path: string;
  /** Where fetched binaries are kept, such as `.hapax/cache/bin`. */
  cache: string;
  say: Say;
  /** Where to fetch from; the tests give addresses that do not answer. */
  download?: string;
  go?: string;
}): Promise<string> {
  // Named after the version, which the binary itself does not know when Go has built it.
  const cached = join(resolve(options.cache), `versitygw-${version}`);
  const download = options.download ?? 'https://github.com/versity/versitygw/releases/download';
  return findBinary({
    what: 'The S3 server versitygw',
    advice:
      'Install it (https://github.com/versity/versitygw) and set VERSITYGW to its path, or set S3_ENDPOINT to a running S3 server.',
    chosen: { variable: 'VERSITYGW', path: options.chosen },
    sources: [
      onPath('versitygw', options.path),
      atPath('the cache', cached),
      { place: 'its releases', look: () => fromRelease(`${download}/v${version}`, cached, options.say) },
      { place: 'Go', look: () => fromSource(options.go ?? 'go', cached, options.say) },
    ],
  });
}

/** The archive is checked against the release's own list of digests, both over TLS. */
async function fromRelease(release: string, cached: string, say: Say): Promise<string> {
  const system = platform() === 'darwin' ? 'Darwin' : 'Linux';
  const name = `versitygw_v${version}_${system}_${arch() === 'x64' ? 'x86_64' : arch()}`;
  const digests = await downloadText(`${release}/checksums.txt`);
  const expected = digests
    .split('\n')
    .find((line) => line.endsWith(` ${name}.tar.gz`))
    ?.split(' ')[0];
  if (!expected) throw new Error(`the release has no ${name}.tar.gz`);
  say(`Fetching versitygw ${version} from ${new URL(release).host} (once; kept in ${cached})`);
  return installBinary(cached, async (workplace) => {
    const archive = join(workplace, `${name}.tar.gz`);
    await downloadFile(`${release}/${name}.tar.gz`, archive, say);
    const actual = createHash('sha256')
      .update(await readFile(archive))
      .digest('hex');
    if (actual !== expected) throw new Error(`${name}.tar.gz has the digest ${actual}, its release says ${expected}`);
    await runCommand('tar', ['-xzf', archive, '-C', workplace], { patience: 60_000 });
    return join(workplace, name, 'versitygw');
  });
}

/** Go checks what it fetches against its public checksum database. */
async function fromSource(go: string, cached: string, say: Say): Promise<string> {
  await runCommand(go, ['version'], { patience: 10_000 });
  say(
    `Building versitygw ${version} with Go, since its release could not be fetched: one to three minutes (once; kept in ${cached})`,
  );
  const ticking = setInterval(() => say('  still building'), 15_000);
  return installBinary(cached, async (workplace) => {
    const source = `github.com/versity/versitygw/cmd/versitygw@v${version}`;
    // What Go fetches and compiles, about 700 MB, is removed with the workplace. Go makes modules read-only by default,
    // which would prevent that.
    const own = [`GOBIN=${workplace}`, `GOPATH=${workplace}/go`, `GOCACHE=${workplace}/cache`, 'GOFLAGS=-modcacherw'];
    await runCommand('env', [...own, 'CGO_ENABLED=0', go, 'install', source], { patience: 600_000 });
    return join(workplace, 'versitygw');
  }).finally(() => clearInterval(ticking));
}
