import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readText, repository } from './source-files.ts';
import { dynamicConfig } from '../../workers/local/temporal.ts';

type Service = {
  image: string;
  command: string[];
  environment?: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  healthcheck?: { test: string[] };
  restart?: string;
  container_name?: string;
  depends_on?: Record<string, { condition: string }>;
};

const text = readText('docker-compose.yml');
const compose = parse(text, { merge: true }) as { services: Record<string, Service>; volumes: Record<string, unknown> };
const services = Object.entries(compose.services);
const defaults = new Map(
  [...readText('.env').matchAll(/^(?<name>[A-Z0-9_]+)=(?<value>.*)$/gm)].map(({ groups }) => [
    groups?.name,
    groups?.value,
  ]),
);

/** What compose makes of `${NAME}`, `${NAME:-default}` and `${NAME:?hint}` with nothing set but .env. */
function filled(value: string): string {
  return value.replaceAll(/\$\{(?<name>\w+)(?::-(?<otherwise>[^}]*))?(?::\?[^}]*)?\}/g, (...found) => {
    const { name, otherwise } = found.at(-1) as { name: string; otherwise?: string };
    return defaults.get(name) ?? otherwise ?? '';
  });
}

const ours = services.filter(([, service]) => service.image.startsWith('hapax:'));
const endings = services.filter(([, service]) => service.restart === 'no').map(([name]) => name);

it('holds the whole stack', () => {
  expect(services.map(([name]) => name).sort()).toEqual(
    ['http', 'media', 'migrate', 'operations', 'postgres', 's3', 'sandbox', 'temporal', 'upkeep'].sort(),
  );
  expect(endings).toEqual(['migrate']);
});

describe.each(services)('%s', (name, service) => {
  it('has a pinned tag', () => {
    expect(filled(service.image)).toMatch(/^[a-z0-9./-]+:v?\d+(\.\d+)+[a-z0-9.-]*$/);
  });

  it('has a health check, or ends by itself', () => {
    const test = service.healthcheck?.test ?? [];
    expect(endings.includes(name) || test.length > 1).toBe(true);
    expect(test.filter((word) => typeof word !== 'string')).toEqual([]);
  });

  it('opens ports on the loopback only', () => {
    expect((service.ports ?? []).map(filled)).toEqual(
      (service.ports ?? []).map(() => expect.stringMatching(/^127\.0\.0\.1:\d+:\d+$/)),
    );
  });

  it('has no name of its own, so that two stacks fit one machine', () => {
    expect(service.container_name).toBeUndefined();
  });

  it('keeps its state in declared volumes', () => {
    const named = (service.volumes ?? []).map((volume) => volume.split(':')[0] ?? '');
    expect(named.filter((volume) => !(volume in compose.volumes))).toEqual([]);
  });

  it('waits for what is healthy, or has ended well', () => {
    const conditions = Object.entries(service.depends_on ?? {});
    const expected = conditions.map(([other]) => ({
      condition: endings.includes(other) ? 'service_completed_successfully' : 'service_healthy',
    }));
    expect(conditions.map(([, condition]) => condition)).toEqual(expected);
    expect(conditions.filter(([other]) => !(other in compose.services))).toEqual([]);
  });
});

it('opens each port once', () => {
  const published = services.flatMap(([, service]) => service.ports ?? []).map((port) => filled(port).split(':')[1]);
  expect(new Set(published).size).toBe(published.length);
});

it.each(ours)('runs a worker that is there: %s', (_, service) => {
  const script = service.command.find((word) => word.endsWith('.ts')) ?? '';
  expect(service.command[0]).toBe('node');
  expect(existsSync(join(repository, script))).toBe(true);
});

it('gives our processes only settings that workers/config.ts knows', () => {
  const config = readText('workers/config.ts');
  const names = new Set(ours.flatMap(([, service]) => Object.keys(service.environment ?? {})));
  expect([...names].filter((name) => !config.includes(`  ${name}: `))).toEqual([]);
});

it("mounts PostgreSQL's volume where 18 wants it", () => {
  expect(compose.services.postgres?.volumes).toEqual(['postgres:/var/lib/postgresql']);
});

it('starts Temporal with the search attributes, and tuned as the embedded one is', () => {
  const command = compose.services.temporal?.command ?? [];
  expect(command.slice(0, 3)).toEqual(['server', 'start-dev', '--ip=0.0.0.0']);
  expect(command.filter((word) => word.startsWith('--db-filename='))).toHaveLength(1);
  for (const attribute of ['HapaxTenant', 'HapaxFlow', 'HapaxKey', 'HapaxStep'])
    expect(command).toContain(`--search-attribute=${attribute}=Keyword`);
  for (const value of dynamicConfig) expect(command).toContain(`--dynamic-config-value=${value}`);
});

it('asks for secrets by name and says what to give', () => {
  const secrets = [...text.matchAll(/\$\{(?<name>\w*(?:PASSWORD|SECRET|TOKENS|ACCESS_KEY)\w*)(?<rest>[^}]*)\}/g)];
  expect(secrets.map(({ groups }) => groups?.rest).filter((rest) => !/^:\?.{10,}/.test(rest ?? ''))).toEqual([]);
  expect(defaults.has('HAPAX_TOKENS')).toBe(false);
});

it('builds from an image whose tag is pinned alike in Dockerfile and .env', () => {
  expect(readText('Dockerfile')).toContain(`ARG NODE_TAG=${defaults.get('NODE_TAG')}\n`);
  expect(readText('package.json')).toContain(`"node": "${defaults.get('NODE_TAG')?.split('-')[0]}"`);
});
