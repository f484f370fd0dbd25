import { join, resolve } from 'node:path';
import { atPath, findBinary, onPath } from '../../../workers/local/find-binary.ts';
import { installBinary } from '../../../workers/local/install-binary.ts';
import { runCommand } from '../../../workers/local/run-command.ts';

const version = '2.9.1';

/**
 * Finds tusd, the reference server of the tus protocol, or builds it with Go (once; kept in the cache).
 * @returns undefined where it cannot be had: then nothing is compared with it
 */
export async function findTusd(path: string, cache: string, say: (line: string) => void): Promise<string | undefined> {
  const cached = join(resolve(cache), `tusd-${version}`);
  const build = async (): Promise<string> =>
    await installBinary(cached, async (workplace) => {
      say(`Building tusd ${version} with Go: one to three minutes`);
      const own = [`GOBIN=${workplace}`, `GOPATH=${workplace}/go`, `GOCACHE=${workplace}/cache`, 'GOFLAGS=-modcacherw'];
      const source = `github.com/tus/tusd/v2/cmd/tusd@v${version}`;
      await runCommand('env', [...own, 'CGO_ENABLED=0', 'go', 'install', source], { patience: 600_000 });
      return join(workplace, 'tusd');
    });
  return await findBinary({
    what: 'tusd',
    advice: 'Install it, or Go.',
    chosen: { variable: 'TUSD', path: undefined },
    sources: [onPath('tusd', path), atPath('the cache', cached), { place: 'Go', look: build }],
  }).catch((error: unknown) => {
    say(`uploads are not compared with tusd: ${String(error)}`);
    return undefined;
  });
}
