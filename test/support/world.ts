import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import type { AnySystem, Systems } from '../../activities/outside/outside-system.ts';
import { systems } from '../../activities/outside/systems.ts';
import { seed } from '../../workers/migrate.ts';
import { registrations } from '../../workers/registrations.ts';
import { sourcesOf } from './event-sources.ts';
import { createBucket } from './create-bucket.ts';
import { databaseNamed, dropDatabase } from './database-named.ts';
import type { Ground } from './global-setup.ts';
import { moneyFaults, type Stock, stockOfAll } from './money-adds-up.ts';
import { ProcessHandle } from './process-handle.ts';
import { sealKeys } from './seal-keys.ts';
import { unhurried } from './unhurried-protection.ts';

type Effect = {
  readonly type: string;
  readonly amount: number;
  readonly currency: string;
  readonly operation: string | null;
  readonly idempotencyKey: string;
  readonly requestId: string;
  readonly at: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly paymentIntent: string;
};

export type Options = {
  readonly doors?: number;
  readonly workers?: number;
  readonly upkeep?: boolean;
  readonly media?: boolean;
  /** Settings for every process of this world. */
  readonly env?: Readonly<Record<string, string>>;
  /** Outside systems besides the product's. */
  readonly systems?: Systems;
  /** Seeded tenants besides alpha and beta are not needed: these two exist in every world. */
  readonly temporalAddress?: string;
  /** Why money, orders and stock do not add up after these tests: rows are written by hand. Otherwise they must. */
  readonly oddMoney?: string;
};

export type Ask = {
  readonly token?: string | null;
  readonly key?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly door?: number;
};

/** One answer, read to its end. */
export type Answered = {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into bodies of every form
  readonly json: any;
};

/**
 * A stack of its own on shared ground: own database, own payment sandbox, own queue and tenants, real processes. Worlds
 * do not see each other, so test files run side by side.
 */
export class World {
  readonly name: string;
  readonly tenants: { readonly alpha: string; readonly beta: string };
  readonly databaseUrl: string;
  readonly env: Record<string, string>;
  readonly ground: Ground;
  readonly directory: string;
  readonly processes: ProcessHandle[] = [];
  readonly doors: ProcessHandle[] = [];
  /** The fakes of the outside systems, by the system's name. */
  readonly fakes = new Map<string, ProcessHandle>();
  readonly #sql: pg.Pool;
  /** Undefined where nobody looks whether money adds up. */
  #stock: readonly Stock[] | undefined;

  private constructor(ground: Ground, name: string, databaseUrl: string, options: Options) {
    this.ground = ground;
    this.name = name;
    this.databaseUrl = databaseUrl;
    this.tenants = { alpha: `alpha-${name}`, beta: `beta-${name}` };
    this.directory = join(ground.root, name);
    this.#sql = new pg.Pool({ connectionString: databaseUrl, max: 4 });
    // A test may end PostgreSQL under it: the next query connects anew.
    this.#sql.on('error', () => undefined);
    const { s3 } = ground;
    this.env = {
      DATABASE_URL: databaseUrl,
      TEMPORAL_ADDRESS: options.temporalAddress ?? ground.temporalAddress,
      HAPAX_TASK_QUEUE: `hapax-${name}`,
      HAPAX_WORKFLOW_BUNDLE: ground.bundle,
      // On the full hour all worlds would compare their books.
      HAPAX_RECONCILE_MINUTES: '0',
      HAPAX_HTTP_PORT: '0',
      HAPAX_TOKENS: [
        `local-alpha=${this.tenants.alpha}:test:default`,
        `local-beta=${this.tenants.beta}:test:default`,
        `live-alpha=${this.tenants.alpha}:live:default`,
        `operator-alpha=${this.tenants.alpha}:test:default:operator`,
        `operator-live-alpha=${this.tenants.alpha}:live:default:operator`,
        `operator-beta=${this.tenants.beta}:test:default:operator`,
      ].join(','),
      S3_ENDPOINT: s3.endpoint,
      S3_BUCKET: name,
      S3_ACCESS_KEY_ID: s3.accessKeyId,
      S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
      HAPAX_WEBHOOKS: sourcesOf(this.tenants.alpha),
      HAPAX_PROTECTION: JSON.stringify({ payments: unhurried }),
      HAPAX_LOG_LEVEL: 'warn',
      HAPAX_SEAL_KEYS: sealKeys,
      ...options.env,
    };
  }

  static async create(ground: Ground, options: Options = {}): Promise<World> {
    const name = `w${randomBytes(4).toString('hex')}`;
    const world = new World(ground, name, await databaseNamed(ground.postgresUrl, name, ground.template), options);
    await mkdir(world.directory, { recursive: true });
    if (options.env?.S3_BUCKET === undefined) await createBucket(ground, name);
    await seed(world.databaseUrl, Object.values(world.tenants), await registrations());
    if (options.oddMoney === undefined) world.#stock = await stockOfAll(world);
    await Promise.all(Object.entries({ ...systems, ...options.systems }).map((system) => world.#startFake(...system)));
    const starts: Promise<ProcessHandle>[] = [];
    for (let n = 0; n < (options.workers ?? 1); n += 1) starts.push(world.start('workers/operations.ts'));
    if (options.media) starts.push(world.start('workers/media.ts'));
    if (options.upkeep ?? true) starts.push(world.start('workers/upkeep.ts'));
    const doors = await Promise.all(Array.from({ length: options.doors ?? 1 }, () => world.start('workers/http.ts')));
    world.doors.push(...doors);
    await Promise.all(starts);
    return world;
  }

  /** The fake of an outside system, which every process that starts from now on reaches. */
  async #startFake(name: string, { fake }: AnySystem): Promise<void> {
    const place = ['--host', '127.0.0.1', '--port', '0', '--data', join(this.directory, fake.name)];
    const started = await this.start(fake.script, {}, place);
    this.fakes.set(name, started);
    Object.assign(this.env, fake.settings(started.address));
  }

  get sandbox(): ProcessHandle {
    return this.fakes.get('payments') as ProcessHandle;
  }

  /** Every effect that the outside systems have had, by their own books. */
  async booked(): Promise<(Pick<Effect, 'type' | 'operation'> & { readonly system: string })[]> {
    const books = [...this.fakes].map(async ([system, { address }]) => {
      const effects = (await (await fetch(`${address}/_audit`)).json()) as Effect[];
      return effects.map(({ type, operation }) => ({ system, type, operation }));
    });
    return (await Promise.all(books)).flat();
  }

  /** Starts one more process of this world. */
  async start(script: string, env: Record<string, string> = {}, args: readonly string[] = []): Promise<ProcessHandle> {
    const logFile = join(this.directory, `${script.replaceAll('/', '-')}.log`);
    const handle = await ProcessHandle.start(script, { env: { ...this.env, ...env }, logFile, args });
    this.processes.push(handle);
    return handle;
  }

  /** The processes that run a script, such as `workers/operations.ts`. */
  running(script: string): ProcessHandle[] {
    return this.processes.filter((handle) => handle.name === script && handle.running);
  }

  async ask(method: string, path: string, { token, key, headers, body, door = 0 }: Ask = {}): Promise<Answered> {
    const { address } = this.doors[door] as ProcessHandle;
    const raw = typeof body === 'string' || body instanceof Uint8Array;
    const response = await fetch(path.startsWith('http') ? path : `${address}${path}`, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token ?? 'local-alpha'}` }),
        ...(key === undefined || key === null ? {} : { 'idempotency-key': key }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: raw ? (body as string) : JSON.stringify(body) }),
    });
    const text = await response.text();
    const json =
      text !== '' && response.headers.get('content-type')?.includes('json') ? (JSON.parse(text) as unknown) : undefined;
    return { status: response.status, headers: response.headers, text, json };
  }

  /** One blue mug with a card that works, unless told otherwise. */
  async checkout(key: string, changes: Record<string, unknown> = {}, ask: Ask = {}): Promise<Answered> {
    return await this.ask('POST', '/v1/checkouts', { key, body: this.cart(key, changes), ...ask });
  }

  cart(key: string, changes: Record<string, unknown> = {}): Record<string, unknown> {
    const cart = { cartId: `cart-${key}`, items: [{ sku: 'mug-blue', quantity: 1 }], paymentMethod: 'pm_card_visa' };
    return { ...cart, ...changes };
  }

  /** Every effect that the payment provider has had, by its own book. */
  async audit(filter: { operation?: string; type?: string } = {}): Promise<Effect[]> {
    const query = new URLSearchParams(filter);
    return (await (await fetch(`${this.sandbox.address}/_audit?${query}`)).json()) as Effect[];
  }

  /** Plans faults at the provider; see workers/sandbox. */
  async faults(rules: readonly unknown[]): Promise<void> {
    await this.sandboxControl('POST', 'faults', rules);
  }

  async sandboxControl(method: string, what: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.sandbox.address}/_control/${what}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    if (!response.ok) throw new Error(`The sandbox refused ${what}: ${await response.text()}`);
    return await response.json().catch(() => undefined);
  }

  async sql<R extends object = Record<string, unknown>>(text: string, ...values: unknown[]): Promise<R[]> {
    return (await this.#sql.query(text, values)).rows as R[];
  }

  /** Waits until `look` gives something, at most `within` milliseconds; looks again after `pause` milliseconds. */
  async until<T>(what: string, look: () => Promise<T | undefined | false>, within = 30_000, pause = 25): Promise<T> {
    const end = Date.now() + within;
    for (;;) {
      const found = await look();
      if (found !== undefined && found !== false) return found;
      if (Date.now() > end) throw new Error(`Not within ${within} ms: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  async state(id: string): Promise<string> {
    const [row] = await this.sql<{ state: string }>('select state from hapax.operation where id = $1', id);
    return row?.state ?? 'missing';
  }

  /** Calls that went out without a key of ours: never, whatever the test did. */
  async violations(): Promise<unknown[]> {
    return (await (await fetch(`${this.sandbox.address}/_violations`)).json()) as unknown[];
  }

  async close(): Promise<void> {
    const violations = this.sandbox.running ? await this.violations() : [];
    const odd = this.sandbox.running && this.#stock !== undefined ? await moneyFaults(this, this.#stock) : [];
    await Promise.all(this.processes.map((handle) => handle.stop()));
    await this.#sql.end();
    await dropDatabase(this.ground.postgresUrl, this.name);
    if (violations.length > 0) throw new Error(`Calls without a key of ours: ${JSON.stringify(violations)}`);
    if (odd.length > 0) throw new Error(`Money does not add up:\n${odd.join('\n')}`);
  }
}
