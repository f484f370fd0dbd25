import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { memoryStore } from '../../sdk/action-store.ts';
import { hapaxClient } from '../../sdk/client.ts';
import { usualSurroundings } from '../../sdk/surroundings.ts';
import type { checkoutFlow } from '../../workflows/checkout.flow.ts';
import { problemAnswer } from '../../workflows/operation/answer.ts';
import { calls, releaseAll } from '../support/provider-faults.ts';
import { World } from '../support/world.ts';

/** What becomes of one request: `before`: it does not leave. `after`: its answer is lost. `500`: an answer of ours. */
type Fault = 'before' | 'after' | '500';

/** A browser with one storage and a network that fails as planned. */
class Browser {
  /** The keys of the requests that left. */
  readonly sent: string[] = [];
  readonly #world: World;
  readonly #store = memoryStore();
  readonly #name: string;
  readonly #faults: Fault[] = [];
  #offline = false;

  constructor(world: World, name: string) {
    this.#world = world;
    this.#name = name;
  }

  /** A page with a button that pays one cart. A refresh is another one. */
  page() {
    const client = hapaxClient(
      {
        url: this.#world.doors[0]?.address ?? expect.unreachable(),
        headers: () => ({ authorization: 'Bearer local-alpha' }),
        store: this.#store,
      },
      // The shortest pauses: the test of the course shows how they are drawn.
      { ...usualSurroundings(), random: () => 0, fetch: this.#fetch },
    );
    return client.action<typeof checkoutFlow>({ flow: 'checkout', route: 'checkouts', name: this.#name });
  }

  cart(changes: { readonly paymentMethod?: string } = {}) {
    const items = [{ sku: 'mug-blue', quantity: 1 }];
    return { cartId: `cart-${this.#name}`, items, paymentMethod: 'pm_card_visa', ...changes };
  }

  plan(...faults: readonly Fault[]): void {
    this.#faults.push(...faults);
  }

  set offline(offline: boolean) {
    this.#offline = offline;
  }

  /** Captures of the payments of this cart, by the provider's book. */
  async captures(): Promise<number> {
    const operations = await this.#world.sql<{ id: string }>(
      'select id from hapax.operation where key = any($1)',
      this.sent,
    );
    const captured = await this.#world.audit({ type: 'payment_intent.captured' });
    return captured.filter(({ operation }) => operations.some(({ id }) => id === operation)).length;
  }

  readonly #fetch: typeof fetch = async (address, init = {}) => {
    if (this.#offline) throw new TypeError('fetch failed');
    if (init.method !== 'POST') return await fetch(address, init);
    const key = new Headers(init.headers).get('idempotency-key') ?? '';
    const fault = this.#faults.shift();
    if (fault === 'before') throw new TypeError('fetch failed');
    this.sent.push(key);
    if (fault === '500') {
      const { status, headers, body } = problemAnswer(
        { code: 'internal', detail: 'Ask again.' },
        { requestId: 'req_1' },
      );
      return new Response(body.replace('"retryAfter":2', '"retryAfter":0'), { status, headers });
    }
    const answer = await fetch(address, init);
    if (fault !== 'after') return answer;
    await answer.text();
    throw new TypeError('fetch failed');
  };
}

describe('a checkout of the SDK', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create(inject('ground'));
  });
  afterAll(() => world.close());

  it('whose answer is lost after the commit is asked about, and paid once', async () => {
    const browser = new Browser(world, 'lost');
    browser.plan('after');
    const page = browser.page();
    const done = await page.submit(browser.cart());
    expect(done).toMatchObject({ status: 'done', result: { amount: { minor: 1250, currency: 'eur' } } });
    expect([browser.sent.length, await browser.captures()]).toEqual([1, 1]);
    // The answer of a request and that of a look give one result.
    const replayed = await world.checkout(browser.sent[0] ?? '', browser.cart());
    const { id, state, ...result } = replayed.json as Record<string, unknown>;
    expect([id, state]).toEqual([done.status === 'done' && done.operation, 'succeeded']);
    expect(done).toMatchObject({ result });
  });

  it('that is called twice is sent once', async () => {
    const browser = new Browser(world, 'twice');
    const page = browser.page();
    const [one, other] = await Promise.all([page.submit(browser.cart()), page.submit(browser.cart())]);
    expect(one.status).toBe('done');
    expect(other).toBe(one);
    expect([browser.sent.length, await browser.captures()]).toEqual([1, 1]);
  });

  it('goes on after a refresh, and its outcome is shown until it was seen', async () => {
    const browser = new Browser(world, 'refreshed');
    await world.faults([{ fault: 'hold_before', match: { path: calls.capture } }]);
    const before = browser.page();
    const left = before.submit(browser.cart());
    await world.until('the operation has begun', async () => {
      const rows = await world.sql('select 1 from hapax.operation where key = $1', browser.sent[0] ?? '');
      return rows.length > 0;
    });
    before.stop();
    expect(await left).toMatchObject({ status: 'unknown', key: browser.sent[0] });
    const after = browser.page();
    const resumed = after.resume();
    const waiting = await world.until('it is waited for', async () => after.state.status === 'waiting' && after.state);
    expect(waiting.progress.of).toBeGreaterThan(waiting.progress.done);
    await releaseAll(world, waiting.operation);
    const done = await resumed;
    expect(done).toMatchObject({ status: 'done', key: browser.sent[0] });
    expect(await browser.page().resume()).toEqual(done);
    await after.seen();
    expect(await browser.page().resume()).toEqual({ status: 'idle' });
    expect([browser.sent.length, await browser.captures()]).toEqual([1, 1]);
  });

  it('in two tabs is sent by one of them, and shown by both', async () => {
    const browser = new Browser(world, 'tabs');
    const ends = await Promise.all([browser.page(), browser.page()].map((tab) => tab.submit(browser.cart())));
    expect(ends[0]).toMatchObject({ status: 'done' });
    expect(ends[1]).toEqual(ends[0]);
    expect([browser.sent.length, await browser.captures()]).toEqual([1, 1]);
  });

  it('that meets a 500 once is sent again under the same key', async () => {
    const browser = new Browser(world, 'internal');
    browser.plan('500');
    expect(await browser.page().submit(browser.cart())).toMatchObject({ status: 'done' });
    expect([browser.sent.length, new Set(browser.sent).size, await browser.captures()]).toEqual([2, 1, 1]);
  });

  it('that is declined has a new key with another card', async () => {
    const browser = new Browser(world, 'declined');
    const page = browser.page();
    const declined = await page.submit(browser.cart({ paymentMethod: 'pm_card_visa_chargeDeclined' }));
    expect(declined).toMatchObject({
      ...{ status: 'refused', action: 'change_payment_method', sameKeySafe: false },
      problem: { code: 'card-declined' },
    });
    expect(await page.submit(browser.cart())).toMatchObject({ status: 'done' });
    expect([browser.sent.length, new Set(browser.sent).size, await browser.captures()]).toEqual([2, 2, 1]);
  });

  it('stops after its retries, keeps its key, and is paid once when the person tries again', async () => {
    const browser = new Browser(world, 'stopped');
    browser.plan('after');
    const page = browser.page();
    const stopped = page.submit(browser.cart());
    await world.until('it was sent', async () => browser.sent.length > 0);
    browser.offline = true;
    expect(await stopped).toMatchObject({ status: 'unknown', reconciling: false, key: browser.sent[0] });
    browser.offline = false;
    expect(await page.submit(browser.cart())).toMatchObject({ status: 'done', key: browser.sent[0] });
    expect([new Set(browser.sent).size, await browser.captures()]).toEqual([1, 1]);
  });

  it('that never left is sent by a person who tries again, under the same key', async () => {
    const browser = new Browser(world, 'unsent');
    browser.plan('before', 'before', 'before', 'before');
    const page = browser.page();
    const stopped = await page.submit(browser.cart());
    // For half a minute it may still be on its way.
    expect(stopped).toMatchObject({ status: 'unknown', reconciling: false });
    const done = await page.submit(browser.cart());
    expect(done).toMatchObject({ status: 'done' });
    expect(browser.sent).toEqual([stopped.status === 'unknown' && stopped.key]);
    expect(await browser.captures()).toBe(1);
  });
});
