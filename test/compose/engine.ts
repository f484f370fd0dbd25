import { execFileSync } from 'node:child_process';

/** What docker-compose.yml needs: `start_interval` came with Engine 25, `required: false` with Compose 2.20.2. */
const least = { engine: 25, compose: [2, 20, 2] } as const;

/**
 * Whether a Docker engine can run docker-compose.yml here.
 * @returns false where there is none, after saying so
 * @throws in CI where there is an engine that cannot: a test that does not run there proves nothing
 */
export function engineIsThere(): boolean {
  const engine = ask('docker', 'version', '--format', '{{.Server.Version}}');
  if (engine === undefined) {
    console.warn('Not run: no Docker engine answers. Start one, or name it in DOCKER_HOST.');
    return false;
  }
  const compose = ask('docker', 'compose', 'version', '--short');
  const lack = lacking(engine, compose) ?? imagesThatLack();
  if (lack === undefined) return true;
  if (process.env['CI'] !== undefined) throw new Error(lack);
  console.warn(`Not run: ${lack}`);
  return false;
}

function lacking(engine: string, compose: string | undefined): string | undefined {
  if (Number.parseInt(engine, 10) < least.engine) return `Docker Engine ${engine} is older than ${least.engine}`;
  if (compose === undefined) return 'the plugin `docker compose` is not installed';
  const [major = 0, minor = 0, patch = 0] = compose.replace(/^v/, '').split(/[.+-]/).map(Number);
  const [leastMajor, leastMinor, leastPatch] = least.compose;
  const order = major - leastMajor || minor - leastMinor || patch - leastPatch;
  return order < 0 ? `Docker Compose ${compose} is older than ${least.compose.join('.')}` : undefined;
}

/** Base images may be there already under their tags, on a machine that reaches no registry; others are pulled. */
function imagesThatLack(): string | undefined {
  const tagged = ask('docker', 'compose', 'config', '--images')?.split('\n') ?? [];
  const node = /^ARG NODE_TAG=(?<tag>.+)$/m.exec(ask('cat', 'Dockerfile') ?? '')?.groups?.['tag'];
  const wanted = [...tagged.filter((image) => !image.startsWith('hapax:')), `node:${node}`];
  const missing = [...new Set(wanted)].filter(
    (image) => ask('docker', 'image', 'inspect', image) === undefined && ask('docker', 'pull', image) === undefined,
  );
  return missing.length === 0
    ? undefined
    : `these images are neither on this machine nor can they be pulled: ${missing.join(', ')}`;
}

function ask(command: string, ...args: string[]): string | undefined {
  try {
    // A pull of the largest base image, 150 MB, takes well under five minutes where it works at all.
    return execFileSync(command, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 300_000,
    }).trim();
  } catch {
    return undefined;
  }
}
