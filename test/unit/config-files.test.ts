import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { environmentWith, readConfig } from '../../workers/config.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hapax-config-'));
});
afterAll(() => rm(directory, { recursive: true }));

async function fileOf(content: string): Promise<string> {
  const file = join(directory, `${Math.random()}`);
  await writeFile(file, content);
  return file;
}

describe('a setting from a file', () => {
  it.each(['sk_test_file', 'sk_test_file\n', 'sk_test_file\r\n'])(
    'is its content, without the last line end: %j',
    async (content) => {
      const STRIPE_SECRET_KEY_FILE = await fileOf(content);
      expect(readConfig(['STRIPE_SECRET_KEY'], { STRIPE_SECRET_KEY_FILE })).toEqual({
        STRIPE_SECRET_KEY: 'sk_test_file',
      });
    },
  );

  it('is judged as any other', async () => {
    const HAPAX_HTTP_PORT_FILE = await fileOf('abc');
    expect(() => readConfig(['HAPAX_HTTP_PORT'], { HAPAX_HTTP_PORT_FILE })).toThrow('HAPAX_HTTP_PORT is "abc"');
  });

  it('that is empty counts for nothing beside its variable', async () => {
    const settings = { S3_SECRET_ACCESS_KEY: 'from-variable', S3_SECRET_ACCESS_KEY_FILE: '/dev/null' };
    expect(readConfig(['S3_SECRET_ACCESS_KEY'], settings)).toEqual({ S3_SECRET_ACCESS_KEY: 'from-variable' });
  });

  it('counts where its variable is set but empty', async () => {
    const settings = { S3_SECRET_ACCESS_KEY: '', S3_SECRET_ACCESS_KEY_FILE: await fileOf('from-file') };
    expect(readConfig(['S3_SECRET_ACCESS_KEY'], settings)).toEqual({ S3_SECRET_ACCESS_KEY: 'from-file' });
  });

  it('is refused beside its variable, since nobody can tell which one is meant, and no secret is told', async () => {
    const settings = { STRIPE_SECRET_KEY: 'sk_one', STRIPE_SECRET_KEY_FILE: await fileOf('sk_two') };
    expect(() => readConfig(['STRIPE_SECRET_KEY'], settings)).toThrow(
      /^Cannot start:\n {2}STRIPE_SECRET_KEY and STRIPE_SECRET_KEY_FILE are both set: unset one of them$/,
    );
  });

  it('that cannot be read is named', () => {
    const STRIPE_SECRET_KEY_FILE = join(directory, 'absent');
    expect(() => readConfig(['STRIPE_SECRET_KEY'], { STRIPE_SECRET_KEY_FILE })).toThrow(
      `STRIPE_SECRET_KEY_FILE names "${STRIPE_SECRET_KEY_FILE}", which cannot be read (ENOENT)`,
    );
  });
});

describe('a password of PostgreSQL', () => {
  const address = 'postgres://hapax@db.example:5432/hapax';

  it.each(['p@ss/w#rd', 'a:b?c%d%41&e=f', 'ä € 😀', '\'"\\`$ {}'])(
    'reaches the driver as it is: %s',
    (DATABASE_PASSWORD) => {
      const { DATABASE_URL } = readConfig(['DATABASE_URL'], { DATABASE_URL: address, DATABASE_PASSWORD });
      const { user, password, host, port, database } = new pg.Client({ connectionString: DATABASE_URL });
      expect({ user, password, host, port, database }).toEqual({
        user: 'hapax',
        password: DATABASE_PASSWORD,
        host: 'db.example',
        port: 5432,
        database: 'hapax',
      });
    },
  );

  it('comes from a file', async () => {
    const DATABASE_PASSWORD_FILE = await fileOf('p@ss\n');
    expect(readConfig(['DATABASE_URL'], { DATABASE_URL: address, DATABASE_PASSWORD_FILE }).DATABASE_URL).toBe(
      'postgres://hapax:p%40ss@db.example:5432/hapax',
    );
  });

  it('is given once: in the address or apart from it', () => {
    const settings = { DATABASE_URL: 'postgres://hapax:one@db.example/hapax', DATABASE_PASSWORD: 'two' };
    expect(() => readConfig(['DATABASE_URL'], settings)).toThrow(
      /^Cannot start:\n {2}DATABASE_URL holds a password and DATABASE_PASSWORD is set: give it in one of them$/,
    );
  });
});

it('what a child process is told replaces each variable that gives it', () => {
  const inherited = ['HAPAX_TOKENS_FILE', 'DATABASE_PASSWORD', 'DATABASE_URL_FILE', 'STRIPE_SECRET_KEY_FILE'];
  for (const name of inherited) process.env[name] = '/dev/null';
  try {
    const environment = environmentWith({ HAPAX_TOKENS: 'told', DATABASE_URL: 'told' });
    expect(inherited.filter((name) => name in environment)).toEqual(['STRIPE_SECRET_KEY_FILE']);
    expect([environment['HAPAX_TOKENS'], environment['DATABASE_URL']]).toEqual(['told', 'told']);
  } finally {
    for (const name of inherited) Reflect.deleteProperty(process.env, name);
  }
});
