import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once as heard } from 'node:events';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { Database } from '../../activities/stores/postgres/database.ts';
import { forget } from '../../activities/stores/postgres/upkeep/forget.ts';
import { FinalError } from '../../client/dedup/final-error.ts';
import type { ConnectedLayer, Layer } from '../../client/dedup/layer.ts';
import { memoryLayer } from '../../client/dedup/memory-layer.ts';
import { once, type OnceOptions } from '../../client/dedup/once.ts';
import { postgresLayer } from '../../client/dedup/postgres-layer.ts';
import { redisLayer } from '../../client/dedup/redis-layer.ts';
import { StillRunning } from '../../client/dedup/still-running.ts';
import { hours, minutes, seconds } from '../../workflows/operation/duration.ts';
import { databaseNamed, dropDatabase } from '../support/database-named.ts';
import { NatsServer } from '../support/nats-server.ts';
import { RedisServer } from '../support/redis-server.ts';
import { layerOf, place, type StoreOf } from './stores.ts';

const name = `once${randomBytes(4).toString('hex')}`;
const holderProgram = fileURLToPath(new URL('./holder-process.ts', import.meta.url));

let redis: RedisServer;
let broker: NatsServer;
let url: string;
let sql: pg.Pool;
const connected: ConnectedLayer[] = [];

beforeAll(async () => {
  const { postgresUrl, template, root, natsServer } = inject('ground');
  [redis, broker, url] = await Promise.all([
    RedisServer.start(root),
    NatsServer.start(natsServer, root),
    databaseNamed(postgresUrl, name, template),
  ]);
  sql = new pg.Pool({ connectionString: url, max: 2 });
  await sql.query('create table public.effect (id text, at timestamptz default clock_timestamp())');
});
afterAll(async () => {
  await Promise.all(connected.map((layer) => layer.close()));
  await sql.end();
  await Promise.all([redis.stop(), broker.stop()]);
  await dropDatabase(inject('ground').postgresUrl, name);
});

const stores = {
  'Redis, at least once': () => ({ kind: 'redis', url: redis.url, onCrash: 'runs-again' }),
  'Redis, at most once': () => ({ kind: 'redis', url: redis.url, onCrash: 'never-again' }),
  'a broker, at least once': () => ({ kind: 'broker', url: broker.url, onCrash: 'runs-again' }),
  'a broker, at most once': () => ({ kind: 'broker', url: broker.url, onCrash: 'never-again' }),
  PostgreSQL: () => ({ kind: 'postgres', url }),
} as const satisfies Record<string, () => StoreOf>;

function connect(store: keyof typeof stores): ConnectedLayer {
  const layer = layerOf(stores[store]());
  connected.push(layer);
  return layer;
}

/** The layers of two processes, or twice those of one where the memory is all there is. */
const sides: Record<string, () => readonly [Layer[], Layer[]]> = {
  memory: () => {
    const layers = [memoryLayer()];
    return [layers, layers];
  },
  'Redis, at least once': () => [[connect('Redis, at least once')], [connect('Redis, at least once')]],
  'Redis, at most once': () => [[connect('Redis, at most once')], [connect('Redis, at most once')]],
  'a broker, at least once': () => [[connect('a broker, at least once')], [connect('a broker, at least once')]],
  'a broker, at most once': () => [[connect('a broker, at most once')], [connect('a broker, at most once')]],
  PostgreSQL: () => [[connect('PostgreSQL')], [connect('PostgreSQL')]],
  'a broker before PostgreSQL': () => [brokerFirst(), brokerFirst()],
  'all three layers': () => [threeLayers(), threeLayers()],
};
const brokerFirst = (): Layer[] => [connect('a broker, at least once'), connect('PostgreSQL')];
const threeLayers = (): Layer[] => [memoryLayer(), connect('Redis, at least once'), connect('PostgreSQL')];

const patient = { window: minutes(5), wait: seconds(30) };

describe.each(Object.keys(sides))('%s', (which) => {
  let here: OnceOptions;
  let there: OnceOptions;
  beforeAll(() => {
    const [first, second] = (sides[which] as (typeof sides)[string])();
    here = { layers: first, ...patient };
    there = { layers: second, ...patient };
  });

  it('runs the first call, and gives every duplicate its answer', async () => {
    const id = randomUUID();
    let runs = 0;
    const run = () => ({ runs: (runs += 1), nested: [null, false, 0, '', 'ü'] });
    const first = await once(id, run, here);
    for (const side of [here, here, there, there]) expect(await once(id, run, side)).toEqual(first);
    expect([runs, first]).toEqual([1, { runs: 1, nested: [null, false, 0, '', 'ü'] }]);
  });

  it.each([null, false, 0, '', [], undefined])('keeps an answer that is %j', async (answer) => {
    const id = randomUUID();
    let runs = 0;
    const run = () => {
      runs += 1;
      return answer;
    };
    for (const side of [here, here, there]) expect(await once<unknown>(id, run, side)).toEqual(answer ?? null);
    expect(runs).toBe(1);
  });

  it.each([
    ['a function', () => 1],
    ['a symbol', Symbol('a')],
    ['an object that tells nothing of itself', { toJSON: () => undefined }],
  ])('keeps null for an answer that JSON leaves out: %s', async (_, answer) => {
    const id = randomUUID();
    let runs = 0;
    const run = () => {
      runs += 1;
      return answer;
    };
    for (const side of [here, here, there]) expect(await once<unknown>(id, run, side)).toBeNull();
    expect(runs).toBe(1);
  });

  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  it.each([
    ['a BigInt', 1n],
    ['a cycle', cycle],
  ])('does not repeat a run whose answer JSON cannot tell: %s', async (_, answer) => {
    const id = randomUUID();
    let runs = 0;
    const run = () => {
      runs += 1;
      return answer;
    };
    for (const side of [here, here, there]) {
      const fault = await once<unknown>(id, run, side).catch((error: unknown) => error);
      expect(fault).toBeInstanceOf(FinalError);
      expect(String(fault)).toMatch(/This has run, but its answer has no JSON form: TypeError/);
    }
    expect(runs).toBe(1);
  });

  it('keeps a final error whose detail JSON cannot tell without the detail', async () => {
    const id = randomUUID();
    let runs = 0;
    const run = () => {
      runs += 1;
      throw new FinalError('The card was declined', { amount: 1n });
    };
    for (const side of [here, here, there])
      await expect(once(id, run, side)).rejects.toMatchObject({ message: 'The card was declined', detail: null });
    expect(runs).toBe(1);
  });

  it('lets one of many concurrent calls run, and gives the others its answer', async () => {
    const id = randomUUID();
    let runs = 0;
    const run = async () => {
      runs += 1;
      await new Promise((resolve) => setTimeout(resolve, 30));
      return runs;
    };
    const calls = Array.from({ length: 40 }, (_, n) => once(id, run, n % 2 === 0 ? here : there));
    expect(new Set(await Promise.all(calls))).toEqual(new Set([1]));
    expect(runs).toBe(1);
  });

  it('keeps nothing of a throw: that call gets the error, and one that waits runs', async () => {
    const id = randomUUID();
    const [running, failed] = [Promise.withResolvers<void>(), Promise.withResolvers<string>()];
    const run = () => {
      running.resolve();
      return failed.promise;
    };
    const first = once(id, run, here);
    await running.promise;
    const waiting = [here, there].map((side) => once(id, () => 'second', side));
    failed.reject(new Error('it did not work'));
    await expect(first).rejects.toThrow('it did not work');
    expect(await Promise.all(waiting)).toEqual(['second', 'second']);
  });

  it('keeps a final error like an answer', async () => {
    const id = randomUUID();
    const run = () => {
      throw new FinalError('The card was declined', { code: 'declined' });
    };
    const again = () => expect.unreachable();
    for (const [side, does] of [
      [here, run],
      [here, again],
      [there, again],
    ] as const) {
      const fault = await once(id, does, side).catch((error: unknown) => error);
      expect(fault).toBeInstanceOf(FinalError);
      expect(fault).toMatchObject({ message: 'The card was declined', detail: { code: 'declined' } });
    }
  });

  it('tells a call that has waited long enough that another one is still running', async () => {
    const id = randomUUID();
    const [running, done] = [Promise.withResolvers<void>(), Promise.withResolvers<string>()];
    const run = () => {
      running.resolve();
      return done.promise;
    };
    const first = once(id, run, here);
    await running.promise;
    for (const side of [here, there])
      await expect(once(id, () => expect.unreachable(), { ...side, wait: 50 })).rejects.toThrow(StillRunning);
    done.resolve('done');
    expect(await first).toBe('done');
  });

  it('runs once more when its answer has expired, however many ask at that moment', async () => {
    const id = randomUUID();
    let runs = 0;
    const run = async () => {
      runs += 1;
      await new Promise((resolve) => setTimeout(resolve, 5));
      return runs;
    };
    const window = 100;
    expect(await once(id, run, { ...here, window })).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 150));
    const crowd = Array.from({ length: 60 }, (_, n) => once(id, run, n % 2 === 0 ? here : there));
    expect(new Set(await Promise.all(crowd))).toEqual(new Set([2]));
    expect(runs).toBe(2);
  });
});

async function holder(id: string, store: StoreOf, terms: { lease: number; window: number }): Promise<ChildProcess> {
  const argument = JSON.stringify({ layer: store, ...terms });
  const child = spawn(process.execPath, [holderProgram, id, argument], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = heard(child, 'exit').then(([code]) => Promise.reject(new Error(`The holder ended with ${code}`)));
  await Promise.race([heard(child.stdout as NodeJS.ReadableStream, 'data'), ended]);
  ended.catch(() => undefined);
  return child;
}

async function killed(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await heard(child, 'exit');
}

describe.concurrent('a holder that is killed', () => {
  // A third of it may pass between two renewals: on a busy machine a process stands still for seconds.
  const terms = { lease: seconds(8), window: minutes(5) };

  it.each(['Redis, at least once', 'a broker, at least once', 'PostgreSQL'] as const)(
    'with %s keeps its lease while it lives, and then lets a later call run',
    async (which) => {
      const id = randomUUID();
      const child = await holder(id, stores[which](), terms);
      const options = { layers: [connect(which)], ...terms };
      // Longer than a lease: it is renewed.
      await expect(once(id, () => 'too early', { ...options, wait: seconds(9) })).rejects.toThrow(StillRunning);
      await killed(child);
      expect(await once(id, () => 'later', { ...options, wait: seconds(30) })).toBe('later');
    },
  );

  it.each(['Redis, at most once', 'a broker, at most once'] as const)(
    'with %s keeps everyone else from running for the window',
    async (which) => {
      const id = randomUUID();
      await killed(await holder(id, stores[which](), terms));
      const options = { layers: [connect(which)], ...terms, wait: seconds(10) };
      await expect(once(id, () => expect.unreachable(), options)).rejects.toThrow(StillRunning);
    },
  );

  it('takes its memory along, and what it did may happen again', async () => {
    const id = randomUUID();
    let runs = 0;
    for (const layers of [[memoryLayer()], [memoryLayer()]])
      await once(id, () => (runs += 1), { layers, window: minutes(5) });
    expect(runs).toBe(2);
  });
});

describe('a holder that was silent for longer than its lease', () => {
  /** Frozen, as far as the layer can tell. */
  const silent = (layer: Layer): Layer => ({ ...layer, renew: async () => true });

  it.each(['Redis, at least once', 'a broker, at least once', 'PostgreSQL'] as const)(
    'with %s keeps nothing, and gives the answer of the call that took over',
    async (which) => {
      const id = randomUUID();
      const [running, taken] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const fences: (string | undefined)[] = [];
      const terms = { lease: 100, window: minutes(5), wait: seconds(20) };
      const first = once(
        id,
        async ({ fence }) => {
          fences.push(fence);
          running.resolve();
          await taken.promise;
          return 'first';
        },
        { layers: [silent(connect(which))], ...terms },
      );
      await running.promise;
      const second = await once(
        id,
        ({ fence }) => {
          fences.push(fence);
          return 'second';
        },
        { layers: [connect(which)], ...terms },
      );
      taken.resolve();
      expect([second, await first]).toEqual(['second', 'second']);
      if (!which.startsWith('Redis')) expect(Number(fences[1])).toBeGreaterThan(Number(fences[0]));
    },
  );

  it('with PostgreSQL keeps its answer for a day, whatever upkeep forgets meanwhile', async () => {
    const upkeep = new Database(url, 'hapax_upkeep', 1);
    const layer = connect('PostgreSQL');
    const terms = { lease: 1, window: minutes(5) };
    const afterSilence = async (silence: number) => {
      const id = randomUUID();
      const claimed = await layer.claim(id, terms);
      if (claimed.kind !== 'ours') return expect.unreachable();
      const ago = `now() - $2 * interval '1 millisecond'`;
      await sql.query(`update hapax.once_entry set until = ${ago} where id = $1`, [id, silence]);
      await forget(upkeep, 100);
      return await layer.settle(id, claimed.hold, '{"value":1}', terms.window);
    };
    try {
      expect([await afterSilence(hours(23)), await afterSilence(hours(25))]).toEqual([true, false]);
    } finally {
      await upkeep.close();
    }
  });

  it('with PostgreSQL does not run again where its row is gone, however long it ran', async () => {
    for (const wait of [0, seconds(20)]) {
      const id = randomUUID();
      let runs = 0;
      const run = async () => {
        runs += 1;
        await sql.query('delete from hapax.once_entry where id = $1', [id]);
        return 'done';
      };
      const answer = await once(id, run, { layers: [connect('PostgreSQL')], window: minutes(5), wait });
      expect([answer, runs]).toEqual(['done', 1]);
    }
  });

  it('is told so by its signal', async () => {
    const id = randomUUID();
    const layer = connect('PostgreSQL');
    const lost = once(
      id,
      ({ signal }) => new Promise<string>((resolve) => signal.addEventListener('abort', () => resolve('aborted'))),
      { layers: [{ ...layer, renew: async () => false }], window: minutes(5), lease: 100, wait: seconds(20) },
    );
    expect(await lost).toBe('aborted');
  });
});

/** The name in Redis of an answer that PostgreSQL has settled. */
const copyOf = (id: string) => `hapax:once:contract-runs-again:${JSON.stringify([place.tenant, place.space, id])}`;

describe('with PostgreSQL deciding', () => {
  const effect = (id: string) => async () => {
    await sql.query('insert into public.effect (id) values ($1)', [id]);
    return 'done';
  };
  const effects = async (id: string) => (await sql.query('select 1 from public.effect where id = $1', [id])).rowCount;

  it('a Redis that is killed in the middle of 1,000 duplicates changes nothing: one effect', async () => {
    const id = randomUUID();
    // Two processes without a memory, so that each duplicate asks Redis.
    const processes = [1, 2].map(() => [connect('Redis, at least once'), connect('PostgreSQL')]);
    const answers: unknown[] = [];
    for (let batch = 0; batch < 50; batch += 1) {
      if (batch === 25) await redis.kill();
      const calls = Array.from({ length: 20 }, (_, n) =>
        once(id, effect(id), { layers: processes[n % 2] as Layer[], ...patient }),
      );
      answers.push(...(await Promise.all(calls)));
    }
    await redis.startAgain();
    expect([answers.length, new Set(answers), await effects(id)]).toEqual([1_000, new Set(['done']), 1]);
  });

  it.each([
    ['the marker of a holder that has died', () => 'held:somebody'],
    ['garbage', () => '\u0000{'],
    ['the answer of another id', () => `kept:${JSON.stringify(['another', Date.now() + 60_000, '{"value":"lie"}'])}`],
    ['an answer past its end', (key: string) => `kept:${JSON.stringify([key, Date.now() - 1, '{"value":"lie"}'])}`],
    ['an answer of another form', (key: string) => `kept:${JSON.stringify([key, Date.now() + 60_000, '[]'])}`],
  ])('a Redis that holds %s is only a hint: one effect', async (_, lie) => {
    const id = randomUUID();
    const key = copyOf(id);
    const layers = [connect('Redis, at least once'), connect('PostgreSQL')];
    await redis.ask((client) => client.set(key, lie(key)));
    expect(await once(id, effect(id), { layers, ...patient })).toBe('done');
    await redis.ask((client) => client.set(key, lie(key)));
    expect(await once(id, effect(id), { layers, ...patient })).toBe('done');
    expect(await effects(id)).toBe(1);
  });

  // docs/dedup.md says so: nothing is signed here.
  it('an answer in the right form is believed, whoever wrote it', async () => {
    const id = randomUUID();
    const key = copyOf(id);
    const layers = [connect('Redis, at least once'), connect('PostgreSQL')];
    const forged = `kept:${JSON.stringify([key, Date.now() + 60_000, '{"value":"forged"}'])}`;
    await redis.ask((client) => client.set(key, forged));
    expect(await once<string>(id, effect(id), { layers, ...patient })).toBe('forged');
    expect(await effects(id)).toBe(0);
  });

  it('a process answers from its memory what the row has settled, and asks no more', async () => {
    const id = randomUUID();
    const layers = [memoryLayer(), connect('PostgreSQL')];
    await once(id, effect(id), { layers, ...patient });
    await sql.query('delete from hapax.once_entry where id = $1', [id]);
    expect(await once(id, effect(id), { layers, ...patient })).toBe('done');
    expect(await effects(id)).toBe(1);
  });
});

describe('ids that are equal', () => {
  const answerOf = (id: string, layers: Layer[], answer: string) => once(id, () => answer, { layers, ...patient });

  it('of two tenants and two spaces stay apart in a memory and a Redis that all of them share', async () => {
    const id = randomUUID();
    const [memory, cache] = [memoryLayer(), connect('Redis, at least once')];
    const uses = [
      ['acme', 'orders'],
      ['beta', 'orders'],
      ['acme', 'mails'],
    ] as const;
    for (const [tenant, space] of uses) {
      const deciding = postgresLayer({ url, tenant, space });
      connected.push(deciding);
      for (const layers of [[memory, deciding], [cache, deciding], [deciding]])
        expect(await answerOf(id, layers, `${tenant} ${space}`)).toBe(`${tenant} ${space}`);
    }
  });

  it('of two spaces of one Redis stay apart, however the spaces are called', async () => {
    const id = randomUUID();
    const inSpace = (space: string) => {
      const layer = redisLayer({ url: redis.url, onCrash: 'runs-again', space, within: 10_000, log: () => undefined });
      connected.push(layer);
      return [layer];
    };
    expect(await answerOf(`b:${id}`, inSpace('a'), 'of a')).toBe('of a');
    expect(await answerOf(id, inSpace('a:b'), 'of a:b')).toBe('of a:b');
  });
});

describe('a Redis that runs at most once, and loses an answer of its own', () => {
  const space = `${place.space}-never-again`;
  const later = (id: string) =>
    once(id, () => 'later', { layers: [connect('Redis, at most once')], window: minutes(5), wait: seconds(40) });

  it('does not keep an id for a claim that failed', async () => {
    const id = randomUUID();
    const log = () => undefined;
    const layer = redisLayer({ url: redis.url, onCrash: 'never-again', space, within: 500, log });
    connected.push(layer);
    await vi.waitFor(() => layer.look(id), { timeout: seconds(30) });
    // It still answers questions, and takes the claim when its caller has gone.
    await redis.ask((client) => client.sendCommand(['CLIENT', 'PAUSE', String(minutes(1)), 'WRITE']));
    const failed = once(id, () => expect.unreachable(), { layers: [layer], ...patient });
    await expect(failed).rejects.toThrow('Redis gave no answer');
    await redis.ask((client) => client.sendCommand(['CLIENT', 'UNPAUSE']));
    expect(await later(id)).toBe('later');
  });

  it('does not keep an id whose run has thrown while it was away', async () => {
    const id = randomUUID();
    const run = async () => {
      await redis.ask((client) => client.sendCommand(['CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes']));
      // Until its end of the connection knows, and before there is another one.
      await new Promise((resolve) => setTimeout(resolve, 30));
      throw new Error('it did not work');
    };
    const layers = [connect('Redis, at most once')];
    await expect(once(id, run, { layers, ...patient })).rejects.toThrow('it did not work');
    expect(await later(id)).toBe('later');
  });
});

describe('alone', () => {
  it('the memory forgets the oldest answers beyond its bound, and they run again', async () => {
    const layers = [memoryLayer({ most: 2 })];
    const runs: string[] = [];
    for (const id of ['a', 'b', 'c', 'a']) await once(id, () => runs.push(id), { layers, window: minutes(5) });
    expect(runs).toEqual(['a', 'b', 'c', 'a']);
  });

  it.each(['Redis, at least once', 'Redis, at most once'] as const)(
    '%s, runs again what a Redis has forgotten',
    async (which) => {
      const id = randomUUID();
      const options = { layers: [connect(which)], ...patient };
      let runs = 0;
      await once(id, () => (runs += 1), options);
      await redis.ask((client) => client.flushAll());
      await once(id, () => (runs += 1), options);
      expect(runs).toBe(2);
    },
  );

  it.each(['a broker, at least once', 'a broker, at most once'] as const)(
    '%s, still knows what it has acknowledged after a kill',
    async (which) => {
      const id = randomUUID();
      const options = { layers: [connect(which)], ...patient };
      let runs = 0;
      await once(id, () => (runs += 1), options);
      await broker.kill();
      await broker.startAgain();
      const again = () => once(id, () => (runs += 1), options);
      expect([await vi.waitFor(again, { timeout: seconds(40) }), runs]).toEqual([1, 1]);
    },
  );

  it('a broker that cannot be reached lets nothing run, and says so', async () => {
    const layer = layerOf({ kind: 'broker', url: 'nats://127.0.0.1:1', onCrash: 'runs-again' });
    connected.push(layer);
    const call = once(randomUUID(), () => expect.unreachable(), { layers: [layer], ...patient });
    await expect(call).rejects.toThrow('The broker does not answer');
  });

  it('a Redis that cannot be reached lets nothing run, and says so', async () => {
    const layer = layerOf({ kind: 'redis', url: 'redis://127.0.0.1:1', onCrash: 'runs-again' });
    connected.push(layer);
    const call = once(randomUUID(), () => expect.unreachable(), { layers: [layer], ...patient });
    await expect(call).rejects.toThrow('Redis gave no answer: Redis cannot be reached: check its address');
  });
});
