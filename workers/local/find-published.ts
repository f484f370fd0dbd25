import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { downloadFile, downloadText } from './download.ts';
import { atPath, findBinary, onPath } from './find-binary.ts';
import { installBinary } from './install-binary.ts';
import { runCommand } from './run-command.ts';
import type { Say } from './say.ts';

/** A program that its project publishes as an archive for each platform, and that Go can build. */
type Published = {
  /** What it is, as an error message begins. */
  readonly what: string;
  /** What to do where it cannot be had. */
  readonly advice: string;
  /** The variable that chooses one. */
  readonly variable: string;
  readonly name: string;
  readonly version: string;
  /** Address of its releases; below it each version has a folder such as `v1.8.0`. */
  readonly releases: string;
  /** The archive for this platform, without `.tar.gz`. The program lies in a folder of this name. */
  readonly archive: string;
  /** The file of a release that lists the digests of its archives. */
  readonly digests: string;
  /** The Go package of the program. */
  readonly source: string;
};

export type FindOptions = {
  /** What the variable says. */
  readonly chosen?: string | undefined;
  /** PATH. */
  readonly path: string;
  /** Where fetched binaries are kept, such as `.hapax/cache/bin`. */
  readonly cache: string;
  readonly say: Say;
  /** Where to fetch from; the tests give addresses that do not answer. */
  readonly download?: string;
  readonly go?: string;
};

/**
 * Finds a published program: the one chosen, found on the PATH, fetched earlier, or fetched now.
 * @throws naming its variable, what to do, and every place that was tried
 */
export async function findPublished(program: Published, options: FindOptions): Promise<string> {
  const { what, advice, variable, name, version } = program;
  // Named after the version, which a binary that Go has built may not know itself.
  const cached = join(resolve(options.cache), `${name}-${version}`);
  const release = `${options.download ?? program.releases}/v${version}`;
  return findBinary({
    what,
    advice,
    chosen: { variable, path: options.chosen },
    sources: [
      onPath(name, options.path),
      atPath('the cache', cached),
      { place: 'its releases', look: () => fromRelease(program, release, cached, options.say) },
      { place: 'Go', look: () => fromSource(program, options.go ?? 'go', cached, options.say) },
    ],
  });
}

/** The archive is checked against the release's own list of digests, both over TLS. */
async function fromRelease(program: Published, release: string, cached: string, say: Say): Promise<string> {
  const file = `${program.archive}.tar.gz`;
  const digests = await downloadText(`${release}/${program.digests}`);
  const expected = digests
    .split('\n')
    .find((line) => line.endsWith(` ${file}`))
    ?.split(' ')[0];
  if (!expected) throw new Error(`the release has no ${file}`);
  say(`Fetching ${program.name} ${program.version} from ${new URL(release).host} (once; kept in ${cached})`);
  return installBinary(cached, async (workplace) => {
    const archive = join(workplace, file);
    await downloadFile(`${release}/${file}`, archive, say);
    const actual = createHash('sha256')
      .update(await readFile(archive))
      .digest('hex');
    if (actual !== expected) throw new Error(`${file} has the digest ${actual}, its release says ${expected}`);
    await runCommand('tar', ['-xzf', archive, '-C', workplace], { patience: 60_000 });
    return join(workplace, program.archive, program.name);
  });
}

/** Go checks what it fetches against its public checksum database. */
async function fromSource({ name, version, source }: Published, go: string, cached: string, say: Say): Promise<string> {
  await runCommand(go, ['version'], { patience: 10_000 });
  say(
    `Building ${name} ${version} with Go, since its release could not be fetched: one to three minutes (once; kept in ${cached})`,
  );
  const ticking = setInterval(() => say('  still building'), 15_000);
  return installBinary(cached, async (workplace) => {
    // What Go fetches and compiles, up to 700 MB, is removed with the workplace. Go makes modules read-only by default,
    // which would prevent that.
    const own = [`GOBIN=${workplace}`, `GOPATH=${workplace}/go`, `GOCACHE=${workplace}/cache`, 'GOFLAGS=-modcacherw'];
    await runCommand('env', [...own, 'CGO_ENABLED=0', go, 'install', `${source}@v${version}`], { patience: 600_000 });
    return join(workplace, name);
  }).finally(() => clearInterval(ticking));
}
