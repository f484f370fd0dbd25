import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import pg from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { freePorts } from '../../workers/local/free-port.ts';
import { startKeeper } from '../../workers/local/keeper.ts';
import { startPostgres } from '../../workers/local/postgres.ts';
import { scratch } from './scratch.ts';

test('finds what was committed, after a SIGKILL and after its process id went to another program', async () => {
  const directory = await scratch();
  const keeper = startKeeper();
  onTestFinished(() => keeper.close());
  const [port = 0] = await freePorts(1);
  const start = () => startPostgres({ directory, port, logFile: `${directory}/postgres.log`, memory: '16MB', keeper });

  const first = await start();
  await ask(first.url, 'create table kept (word text)', "insert into kept values ('hapax')");
  // A process of its own that is slow to see it still holds its memory.
  const [slow] = await ask(first.url, "select pid from pg_stat_activity where backend_type = 'checkpointer'");
  const left = slow?.pid as number;
  process.kill(left, 'SIGSTOP');
  process.kill(first.pid, 'SIGKILL');
  await first.ended;
  setTimeout(() => process.kill(left, 'SIGCONT'), 1_500);

  const second = await start();
  expect(await ask(second.url, 'select word from kept')).toEqual([{ word: 'hapax' }]);
  await second.stop();

  // Its lock file now names us: a living process that is not PostgreSQL.
  await writeFile(`${directory}/data/postmaster.pid`, `${process.pid}\n${directory}/data\n1\n${port}\n\n127.0.0.1\n`);
  const third = await start();
  expect(await ask(third.url, 'select word from kept')).toEqual([{ word: 'hapax' }]);
  const durability = await ask(
    third.url,
    "select name, setting from pg_settings where name in ('fsync', 'synchronous_commit', 'full_page_writes')",
  );
  expect(durability.map((row) => row.setting)).toEqual(['on', 'on', 'on']);
  await third.stop();
});

test('never removes a database that it did not make', async () => {
  const directory = await scratch();
  await mkdir(`${directory}/data`);
  const start = startPostgres({ directory, port: 1, logFile: `${directory}/postgres.log` });
  await expect(start).rejects.toThrow(/holds no password file.*--fresh/);
});

test('says what to do when its port is taken', async () => {
  const directory = await scratch();
  const server = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const start = startPostgres({ directory, port, logFile: `${directory}/postgres.log`, memory: '16MB' });
  await expect(start).rejects.toThrow(/HAPAX_POSTGRES_PORT.*DATABASE_URL[^]*Address already in use/);
});

/** Gives the rows of the last statement. */
async function ask(url: string, ...statements: string[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {}); // the server may be killed under it
  await client.connect();
  let rows: Record<string, unknown>[] = [];
  for (const statement of statements) ({ rows } = await client.query(statement));
  await client.end();
  return rows;
}
