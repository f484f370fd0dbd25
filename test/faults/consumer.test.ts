import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { days, hours, minutes } from '../../workflows/operation/duration.ts';
import { bookTables } from '../support/consumers/own-consumers.ts';
import { type Message, thingHappened } from '../support/consumers/thing-happened.ts';
import { databaseNamed, dropDatabase } from '../support/database-named.ts';
import { NatsServer } from '../support/nats-server.ts';
import { ProcessHandle } from '../support/process-handle.ts';

const worker = 'test/support/faulty-consumer.ts';
const stream = 'HAPAX_EVENTS';
const name = `consuming${randomBytes(4).toString('hex')}`;

let nats: NatsServer;
let sql: pg.Pool;
let env: Record<string, string>;
let directory: string;
const processes: ProcessHandle[] = [];
beforeAll(async () => {
  const { postgresUrl, template, natsServer, root } = inject('ground');
  directory = join(root, name);
  await mkdir(directory);
  nats = await NatsServer.start(natsServer, directory);
  const url = await databaseNamed(postgresUrl, name, template);
  sql = new pg.Pool({ connectionString: url, max: 4 });
  await sql.query(bookTables);
  env = { DATABASE_URL: url, NATS_URL: nats.url, HAPAX_LOG_LEVEL: 'info' };
  await keepFor(hours(12));
});
afterAll(async () => {
  await sql.end();
  await nats.stop();
  await dropDatabase(inject('ground').postgresUrl, name);
});
/** No process of one test takes the messages of the next. */
afterEach(async () => {
  await Promise.all(processes.splice(0).map((handle) => handle.kill()));
  await sql.query('truncate tally.book, tally.mended, hapax.consumed, hapax.consumer_position');
  await nats.ask(async (connection) => {
    await (await jetstreamManager(connection)).streams.purge(stream);
  });
});

async function start(...args: string[]): Promise<ProcessHandle> {
  const handle = await ProcessHandle.start(worker, { env, logFile: join(directory, 'consumer.log'), args });
  processes.push(handle);
  return handle;
}

/** Makes the stream, or changes for how long it keeps its messages. */
async function keepFor(age: number): Promise<void> {
  await nats.ask(async (connection) => {
    const { streams } = await jetstreamManager(connection);
    const config = { name: stream, subjects: ['hapax.>'], max_age: nanos(age), duplicate_window: nanos(minutes(2)) };
    await streams.info(stream).then(
      () => streams.update(stream, config),
      () => streams.add(config),
    );
  });
}

/** Without the broker's own window, which would keep doubles away. */
async function publish(messages: readonly Message[]): Promise<void> {
  await nats.ask(async (connection) => {
    const client = jetstream(connection);
    for (let at = 0; at < messages.length; at += 100)
      await Promise.all(messages.slice(at, at + 100).map(({ subject, body }) => client.publish(subject, body)));
  });
}

const things = (consumer: string, count: number, prefix = 'm', aggregates = 1) =>
  Array.from({ length: count }, (_, n) =>
    thingHappened(consumer, {
      ...{ id: `${prefix}${n + 1}`, aggregate: `${prefix}${n % aggregates}`, sequence: Math.floor(n / aggregates) + 1 },
    }),
  );
const booked = async (): Promise<string[]> =>
  (await sql.query<{ message: string }>('select message from tally.book order by at')).rows.map(
    ({ message }) => message,
  );
const ids = (messages: readonly Message[]) => messages.map(({ id }) => id);

async function until(what: string, look: () => Promise<boolean>, within = 40_000): Promise<void> {
  const end = Date.now() + within;
  while (!(await look())) {
    if (Date.now() > end) throw new Error(`Not within ${within} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
const untilBooked = (count: number) => until(`${count} are booked`, async () => (await booked()).length >= count);
/** The broker has nothing more to deliver to that consumer. */
const untilAcknowledged = (consumer: string) =>
  until(`${consumer} has acknowledged everything`, () =>
    nats.ask(async (connection) => {
      const { consumers } = await jetstreamManager(connection);
      const { num_pending, num_ack_pending } = await consumers.info(stream, `hapax-${consumer}`);
      return num_pending + num_ack_pending === 0;
    }),
  );
const states = async () =>
  (await sql.query(`select message, state, code from hapax.consumed where state <> 'done' order by message`)).rows;

describe('a consumer process that is killed', () => {
  it.each(['before-commit', 'before-ack', 'after-ack'])('%s leaves one effect for each message', async (point) => {
    const messages = [...things('any', 30, 'a'), ...things('ordered', 30, 'o', 3)];
    await publish(messages);
    const killed = await start('kill', point);
    await killed.gone();
    const before = await booked();
    if (point === 'before-commit') expect(before).toEqual([]);
    else expect(before.length).toBeGreaterThan(0);
    await start();
    await untilBooked(messages.length);
    await untilAcknowledged('any');
    await untilAcknowledged('ordered');
    expect((await booked()).toSorted()).toEqual(ids(messages).toSorted());
    expect(await states()).toEqual([]);
  });

  it('would lose messages if it acknowledged before it commits', async () => {
    const messages = things('any', 10);
    await publish(messages);
    const killed = await start('early-ack', 'before-commit');
    await killed.gone();
    await start();
    const more = things('any', 1, 'later');
    await publish(more);
    await untilAcknowledged('any');
    await untilBooked(1);
    expect((await booked()).length).toBeLessThan(messages.length + more.length);
  });
});

it('two consumer processes share a stream that brings each message twice: one effect each, and each aggregate in its order', async () => {
  const messages = [...things('any', 200, 'a'), ...things('ordered', 200, 'o', 5)];
  await publish([...messages, ...messages.toReversed()]);
  await Promise.all([start(), start()]);
  await untilBooked(messages.length);
  await untilAcknowledged('any');
  await untilAcknowledged('ordered');
  const done = await booked();
  expect(done.toSorted()).toEqual(ids(messages).toSorted());
  for (let n = 0; n < 5; n += 1) {
    const aggregate = ids(messages).filter((id) => id.startsWith('o') && (Number(id.slice(1)) - 1) % 5 === n);
    expect(done.filter((id) => aggregate.includes(id))).toEqual(aggregate);
  }
  expect(await states()).toEqual([]);
});

it('a process that is frozen in its transaction holds nobody up, and changes nothing when it thaws', async () => {
  const messages = things('any', 20);
  await publish(messages);
  const frozen = await start('freeze', 'before-commit');
  await start();
  await untilBooked(messages.length);
  frozen.signal('SIGCONT');
  await publish(things('any', 5, 'later'));
  await untilBooked(messages.length + 5);
  await untilAcknowledged('any');
  expect((await booked()).length).toBe(messages.length + 5);
});

it('a broker that is killed and started again is consumed on, without a loss or a double', async () => {
  const [before, after] = [things('any', 50, 'before'), things('any', 50, 'after')];
  const process = await start();
  await publish(before);
  await untilBooked(10);
  await nats.kill();
  await until('it is not ready', async () => (await fetch(`${process.address}/readyz`)).status === 503);
  await nats.startAgain();
  await publish(after);
  await untilBooked(100);
  await untilAcknowledged('any');
  expect((await booked()).toSorted()).toEqual(ids([...before, ...after]).toSorted());
  await until('it is ready', async () => (await fetch(`${process.address}/readyz`)).status === 200);
});

it('what nobody can use becomes a dead letter, and holds up neither its batch nor the process', async () => {
  const sound = things('any', 100);
  const { subject } = sound[0] as Message;
  const poison = thingHappened('any', { id: 'poison', poison: 'bad-sql' });
  const bad = [
    { subject, id: 'bad1', body: 'no json' },
    { subject, id: 'bad2', body: '{"specversion":"1.0"}' },
    { subject, id: 'bad3', body: thingHappened('any', { id: 'bad3' }).body.replace('"n":1', '"n":[]') },
    thingHappened('ordered', { id: 'bad4', sequence: String(2 ** 53) }),
    thingHappened('ordered', { id: 'bad5', sequence: 100_002 }),
  ];
  await publish([...sound.slice(0, 50), poison, ...bad, ...sound.slice(50)]);
  const process = await start();
  await untilBooked(100);
  await untilAcknowledged('any');
  await untilAcknowledged('ordered');
  const became = await states();
  expect(
    became
      .filter(({ state }) => state === 'dead')
      .map(({ code }) => String(code))
      .toSorted(),
  ).toEqual([
    ...['message-invalid', 'message-unreadable', 'message-without-id', 'sequence-too-far', 'sequence-too-far'],
  ]);
  expect(became.find(({ message }) => message === 'poison')).toMatchObject({ state: 'due', code: 'effect-failed' });
  expect(await booked()).toHaveLength(100);
  await sql.query(`insert into tally.mended values ('poison')`);
  await untilBooked(101);
  const metrics = await (await fetch(`${process.address}/metrics`)).text();
  expect(metrics).toContain('hapax_consumed_total{consumer="any",became="done"} ');
  expect(metrics).toContain('hapax_consumed_total{consumer="any",became="failed"} 1');
});

it('a gap is told and ends by itself when what was missing comes', async () => {
  const [first, second, third] = things('impatient', 3) as [Message, Message, Message];
  await publish([third, second]);
  await start();
  await until('it is told', async () => (await states()).filter(({ state }) => state === 'parked').length === 2);
  await publish([first]);
  await untilBooked(3);
  expect(await booked()).toEqual(['m1', 'm2', 'm3']);
});

it('a stream that keeps messages for longer than their ids are known is not consumed, and the process says both numbers', async () => {
  await keepFor(days(2));
  try {
    await publish(things('any', 3));
    const process = await start();
    await until('it says so', async () => {
      const text = await (await fetch(`${process.address}/readyz?verbose`)).text();
      return text.includes(
        '[-]any: Stream HAPAX_EVENTS can deliver a message for 2 days, and consumer any forgets ids after 1 day',
      );
    });
    expect(await booked()).toEqual([]);
    await keepFor(hours(12));
    await untilBooked(3);
  } finally {
    await keepFor(hours(12));
  }
});
