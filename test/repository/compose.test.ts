import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { systems } from '../../activities/outside/systems.ts';
import { searchAttributes } from '../../workflows/operation/search-attributes.ts';
import { readText, repository } from './source-files.ts';
import { dynamicConfig } from '../../workers/local/temporal.ts';

type Service = {
  image: string;
  build?: object;
  pull_policy?: string;
  profiles?: string[];
  user?: string;
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  tmpfs?: string[];
  pids_limit?: number;
  mem_limit?: string;
  logging?: { options: Record<string, string> };
  networks?: string[];
  secrets?: string[];
  command: string[];
  environment?: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  healthcheck?: { test: string[]; interval: string; start_interval: string; start_period: string };
  restart?: string;
  container_name?: string;
  depends_on?: Record<string, { condition: string; required?: boolean }>;
};

const fakes = Object.values(systems).map(({ fake }) => fake.name);
const text = readText('docker-compose.yml');
// Our own file: its many aliases are no attack.
const compose = parse(text, { merge: true, maxAliasCount: -1 }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
  networks: Record<string, { internal?: boolean } | null>;
  secrets: Record<string, { file: string }>;
};
const services = Object.entries(compose.services);
const defaults = new Map(
  [...readText('.env').matchAll(/^(?<name>[A-Z0-9_]+)=(?<value>.*)$/gm)].map(({ groups }) => [
    groups?.name,
    groups?.value,
  ]),
);

/** What compose makes of `${NAME}`, `${NAME:-default}` and `${NAME:?hint}` with nothing set but .env; innermost first. */
function filled(value: string): string {
  const once = value.replaceAll(/\$\{(?<name>\w+)(?::?-(?<otherwise>[^{}]*))?(?::[?+][^{}]*)?\}/g, (...found) => {
    const { name, otherwise } = found.at(-1) as { name: string; otherwise?: string };
    return defaults.get(name) ?? otherwise ?? '';
  });
  return once === value ? once : filled(once);
}

const ours = services.filter(([, service]) => service.image.startsWith('hapax:'));
const endings = services.filter(([, service]) => service.restart === 'no').map(([name]) => name);

it('holds the whole stack', () => {
  expect(services.map(([name]) => name).sort()).toEqual(
    [
      ...[
        'broker',
        'cache',
        'catcher',
        'consumer',
        'http',
        'mail',
        'media',
        'migrate',
        'operations',
        'postgres',
        'relay',
      ],
      's3',
      ...['temporal', 'upkeep'],
      ...fakes,
    ].sort(),
  );
  expect(endings).toEqual(['migrate']);
});

describe.each(services)('%s', (name, service) => {
  it('has a pinned tag', () => {
    expect(filled(service.image)).toMatch(/^[a-z0-9./-]+:v?\d+(\.\d+)+[a-z0-9.-]*$/);
  });

  it('is looked at often while it starts, and rarely from then on', () => {
    const { interval, start_interval, start_period } = service.healthcheck ?? {};
    if (!endings.includes(name))
      expect({ interval, start_interval, start_period }).toEqual({
        interval: '30s',
        start_interval: '2s',
        start_period: '60s',
      });
  });

  it('has bounds of memory, processes and logs', () => {
    expect([service.mem_limit, service.pids_limit]).toEqual([expect.stringMatching(/^\d+[mg]$/), expect.any(Number)]);
    expect(service.logging?.options).toEqual({ 'max-size': '10m', 'max-file': '3' });
  });

  it('gets no new powers; only PostgreSQL starts as root with a root it can write to', () => {
    expect([service.user, service.security_opt]).toEqual([undefined, ['no-new-privileges:true']]);
    const locked = { read_only: service.read_only, cap_drop: service.cap_drop, tmpfs: service.tmpfs?.length };
    expect(locked).toEqual(
      name === 'postgres'
        ? { read_only: undefined, cap_drop: undefined, tmpfs: undefined }
        : { read_only: true, cap_drop: ['ALL'], tmpfs: 1 },
    );
  });

  it('is on declared networks and has declared secrets', () => {
    expect(service.networks?.filter((network) => !(network in compose.networks))).toEqual([]);
    expect((service.secrets ?? []).filter((secret) => !(secret in compose.secrets))).toEqual([]);
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
      // A real one stands in where the profile is off.
      ...(compose.services[other]?.profiles && { required: false }),
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

it('gives our processes only settings that are declared', () => {
  const declaring = [
    'workers/config.ts',
    'workers/mail-settings.ts',
    'workers/seal-fields.ts',
    'workers/broker-settings.ts',
    ...Object.keys(systems).map((name) => `activities/outside/${name}.ts`),
  ];
  const config = declaring.map(readText).join('');
  const given = ours.flatMap(([, service]) => Object.keys(service.environment ?? {}));
  const names = new Set(given.map((name) => name.replace(/_FILE$/, '')));
  expect([...names].filter((name) => !config.includes(`  ${name}: `))).toEqual([]);
});

describe.each(Object.entries(systems))('the outside system %s', (_, { settings, own, fake }) => {
  const workers = compose.services.operations?.environment ?? {};

  it('has all of its settings passed to the workers, and told in the README', () => {
    expect(Object.keys(settings).filter((name) => !(name in workers))).toEqual([]);
    expect(own.givenBy.filter((name) => !readText('README.md').includes(`\`${name}\``))).toEqual([]);
  });

  it('has its fake as a service of the local profile, which the workers reach unless told otherwise', () => {
    const service = compose.services[fake.name];
    expect([service?.command.slice(0, 2), service?.profiles]).toEqual([['node', fake.script], ['local']]);
    const [port = ''] = Object.keys(fake.port);
    expect(service?.ports?.join()).toContain(`\${${port}:-`);
    expect(workers[own.address]).toContain(`-http://${fake.name}:`);
  });
});

it("mounts PostgreSQL's volume where 18 wants it", () => {
  expect(compose.services.postgres?.volumes).toEqual(['postgres:/var/lib/postgresql']);
});

it('starts Temporal with the search attributes, and tuned as the embedded one is', () => {
  const command = compose.services.temporal?.command ?? [];
  expect(command.slice(0, 3)).toEqual(['server', 'start-dev', '--ip=0.0.0.0']);
  expect(command.filter((word) => word.startsWith('--db-filename='))).toHaveLength(1);
  for (const attribute of searchAttributes) expect(command).toContain(`--search-attribute=${attribute}=Keyword`);
  for (const value of dynamicConfig) expect(command).toContain(`--dynamic-config-value=${value}`);
});

it('builds its image once', () => {
  expect(services.filter(([, service]) => service.build).map(([name]) => name)).toEqual(['migrate']);
  const pulled = ours.filter(([name, service]) => name !== 'migrate' && service.pull_policy !== 'never');
  expect(pulled.map(([name]) => name)).toEqual([]);
});

it('runs the fakes and the S3 server only in the profile `local`, the mail catcher in `mail`, the broker in `broker`, and .env chooses them; the cache in its own', () => {
  const profiles = services
    .filter(([, service]) => service.profiles)
    .map(([name, service]) => [name, service.profiles]);
  const local = ['s3', ...fakes].map((name) => [name, ['local']]);
  expect(Object.fromEntries(profiles)).toEqual({
    ...Object.fromEntries(local),
    catcher: ['mail'],
    broker: ['broker'],
    cache: ['cache'],
  });
  expect(defaults.get('COMPOSE_PROFILES')).toBe('local,mail,broker');
});

it('sends mail to the catcher by .env alone: without that file it waits, and is not lost', () => {
  const sender = compose.services['mail']?.environment ?? {};
  expect([sender['SMTP_URL'], sender['MAIL_FROM']]).toEqual([`\${SMTP_URL:-}`, `\${MAIL_FROM:-}`]);
  expect(defaults.get('SMTP_URL')).toBe('smtp://catcher:1025');
});

it('publishes events to the broker by .env alone: without that file they are in the log of PostgreSQL', () => {
  expect(compose.services['relay']?.environment?.['NATS_URL']).toBe(`\${NATS_URL:-}`);
  expect(defaults.get('NATS_URL')).toBe('nats://broker:4222');
});

it('keeps PostgreSQL where nothing comes in from outside', () => {
  expect([compose.networks['back'], compose.services['postgres']?.networks]).toEqual([{ internal: true }, ['back']]);
  expect(compose.services['postgres']?.ports).toBeUndefined();
});

it('takes each secret from a variable or from a file', () => {
  const asked = new Set(
    [
      ...text.matchAll(
        /\$\{(?<name>\w*(?:PASSWORD|SECRET|TOKENS|ACCESS_KEY|WEBHOOKS|PROVIDER_KEY|SEAL_KEYS|PAYLOAD_KEYS|CREDENTIALS|SMTP_URL|REDIS_URL|NATS_URL)\w*)[-:}]/g,
      ),
    ].map(({ groups }) => groups?.name ?? ''),
  );
  const plain = [...asked].filter((name) => !name.endsWith('_FILE')).toSorted();
  expect(plain.map((name) => name.toLowerCase())).toEqual(Object.keys(compose.secrets).sort());
  for (const name of plain)
    expect(compose.secrets[name.toLowerCase()]).toEqual({ file: `\${${name}_FILE:-/dev/null}` });
});

it('can be looked at and taken down with nothing set', () => {
  const required = [...text.matchAll(/\$\{(?<name>\w+):\?/g)].map(({ groups }) => groups?.name ?? '');
  expect(required.filter((name) => !defaults.has(name))).toEqual([]);
  expect(defaults.has('HAPAX_TOKENS')).toBe(false);
});

it('builds from an image whose tag is pinned alike in Dockerfile and .env', () => {
  expect(readText('Dockerfile')).toContain(`ARG NODE_TAG=${defaults.get('NODE_TAG')}\n`);
  expect(readText('package.json')).toContain(`"node": "${defaults.get('NODE_TAG')?.split('-')[0]}"`);
});
