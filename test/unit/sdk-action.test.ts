import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ActionStore } from '../../sdk/action-store.ts';
import { EarlierActionOpen } from '../../sdk/earlier-action-open.ts';
import { lookFaults, sendFaults } from '../support/sdk/fake-api.ts';
import { FakeBrowser, fakeLocks } from '../support/sdk/fake-browser.ts';

type Page = ReturnType<FakeBrowser['page']>;

const book = { thing: 'book' };
const lamp = { thing: 'lamp' };

/** Fills as the state changes. */
function statesOf(page: Page): string[] {
  const states: string[] = [];
  page.subscribe(() => states.push(page.state.status));
  return states;
}

describe('an action', () => {
  it('has a key, stored before the first request leaves', async () => {
    const browser = new FakeBrowser();
    const stored: string[] = [];
    const store: ActionStore = {
      get: (name) => browser.texts.get(name),
      set: (name, text) => {
        stored.push(`${browser.api.sends.length} sent`);
        return browser.texts.set(name, text);
      },
    };
    const page = browser.page({}, store);
    const done = await browser.clock.pass(page.submit(book));
    expect(stored[0]).toBe('0 sent');
    const [{ key } = expect.unreachable()] = browser.api.sends;
    expect(done).toEqual({
      status: 'done',
      key,
      operation: expect.any(String) as string,
      result: { order: `order of ${key}` },
    });
    expect(key).toMatch(/^act_[0-9a-f]{32}$/);
  });

  it('is locked in the same turn as the click, and a second click joins the first', async () => {
    const browser = new FakeBrowser();
    const page = browser.page();
    const clicks = [page.submit(book), page.submit({ ...book })];
    expect(page.state.status).toBe('submitting');
    const [one, other] = (await browser.clock.pass(Promise.all(clicks))) ?? [];
    expect(one).toBe(other);
    expect([browser.api.effects, browser.api.sends.length]).toEqual([['book'], 1]);
  });

  it.each(['after', 'cut', 'proxy', 'silent'] as const)(
    'whose answer is lost (%s) is asked about, and not sent again',
    async (fault) => {
      const browser = new FakeBrowser();
      browser.api.sendFaults.push(fault);
      const page = browser.page();
      const states = statesOf(page);
      expect(await browser.clock.pass(page.submit(book))).toMatchObject({ status: 'done' });
      expect(states.filter((state, at) => state !== states[at - 1])).toEqual(['submitting', 'confirming', 'done']);
      expect([browser.api.effects, browser.api.sends.length]).toEqual([['book'], 1]);
    },
  );

  it.each(['before', 'late', '500', 'busy'] as const)(
    'that fails once (%s) is sent again under its key',
    async (fault) => {
      const browser = new FakeBrowser();
      browser.api.sendFaults.push(fault);
      const page = browser.page();
      expect(await browser.clock.pass(page.submit(book))).toMatchObject({ status: 'done' });
      await browser.clock.pass(browser.clock.sleep(20_000));
      expect(browser.api.effects).toEqual(['book']);
      expect(browser.api.sends).toHaveLength(2);
      expect(new Set(browser.api.sends.map(({ key }) => key)).size).toBe(1);
    },
  );

  it('is sent four times at most by itself, in pauses of 300 ms, 1 s and 2 s, and then left to the person', async () => {
    const browser = new FakeBrowser();
    browser.api.sendFaults.push('500', '500', '500', '500');
    const page = browser.page();
    const stopped = await browser.clock.pass(page.submit(book));
    expect(stopped).toMatchObject({
      status: 'failed',
      retryable: true,
      sameKeySafe: true,
      problem: { code: 'internal' },
    });
    const { sends } = browser.api;
    expect(sends.map(({ at }, n) => at - (sends[n - 1]?.at ?? at))).toEqual([0, 300, 1_000, 2_000]);
    // "Try again" keeps the key and sends once. It does not begin another round.
    browser.api.sendFaults.push('500');
    expect(await browser.clock.pass(page.submit(book))).toMatchObject({ status: 'failed' });
    expect(await browser.clock.pass(page.submit(book))).toMatchObject({ status: 'done' });
    expect(new Set(sends.map(({ key }) => key)).size).toBe(1);
    expect([sends.length, browser.api.effects]).toEqual([6, ['book']]);
  });

  it('counts its retries over refreshes', async () => {
    const browser = new FakeBrowser();
    browser.api.sendFaults.push('500', '500', '500', '500', '500', '500');
    const before = browser.page();
    const begun = browser.clock.time;
    await browser.clock.pass(before.submit(book), begun + 500);
    before.stop();
    expect(browser.api.sends).toHaveLength(2);
    for (let refresh = 0; refresh < 3; refresh += 1) {
      // Whatever was on its way has arrived.
      await browser.clock.pass(browser.clock.sleep(31_000));
      expect(await browser.clock.pass(browser.page().resume(book))).toMatchObject({
        status: 'failed',
        retryable: true,
      });
    }
    // The one whose pause the refresh has cut short counts too.
    expect(browser.api.sends).toHaveLength(3);
    expect(new Set(browser.api.sends.map(({ key }) => key)).size).toBe(1);
  });

  it('leaves the next try to the person where the server asks for more than five seconds', async () => {
    const browser = new FakeBrowser();
    browser.api.sendFaults.push('away');
    const page = browser.page();
    expect(await browser.clock.pass(page.submit(book))).toMatchObject({ status: 'failed', retryable: true });
    expect(browser.api.sends).toHaveLength(1);
    expect(await browser.clock.pass(page.submit(book))).toMatchObject({ status: 'done' });
  });

  it('comes back no earlier than the server asks for', async () => {
    const browser = new FakeBrowser({ random: () => 0 });
    browser.api.sendFaults.push('busy');
    const page = browser.page();
    await browser.clock.pass(page.submit(book));
    const [first, second] = browser.api.sends;
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBe(1_000);
  });

  it('that is declined is not tried again, and another card has another key', async () => {
    const browser = new FakeBrowser();
    const page = browser.page();
    const declined = await browser.clock.pass(page.submit({ ...book, card: 'declined' }));
    expect(declined).toMatchObject({ status: 'refused', action: 'change_payment_method', sameKeySafe: false });
    expect(browser.api.sends).toHaveLength(1);
    expect(await browser.clock.pass(page.submit(book))).toMatchObject({ status: 'done' });
    expect(new Set(browser.api.sends.map(({ key }) => key)).size).toBe(2);
    expect(browser.api.effects).toEqual(['book']);
  });

  it('that is refused is shown after a refresh too, until it was seen', async () => {
    const browser = new FakeBrowser();
    await browser.clock.pass(browser.page().submit({ ...book, card: 'declined' }));
    const refreshed = browser.page();
    expect(await browser.clock.pass(refreshed.resume())).toMatchObject({ status: 'refused' });
    await refreshed.seen();
    expect(refreshed.state).toEqual({ status: 'idle' });
    expect(await browser.clock.pass(browser.page().resume())).toEqual({ status: 'idle' });
  });

  it('is kept until its outcome was seen, and then the same input is a new action', async () => {
    const browser = new FakeBrowser();
    const first = await browser.clock.pass(browser.page().submit(book));
    const refreshed = browser.page();
    expect(await browser.clock.pass(refreshed.resume())).toEqual(first);
    // Back, and clicked again: that is the same action still.
    expect(await browser.clock.pass(browser.page().submit(book))).toEqual(first);
    expect(browser.api.sends).toHaveLength(1);
    await refreshed.seen();
    expect(await browser.clock.pass(refreshed.submit(book))).toMatchObject({ status: 'done' });
    expect(browser.api.effects).toEqual(['book', 'book']);
  });

  it('goes on after a refresh, by its key alone', async () => {
    const browser = new FakeBrowser();
    const before = browser.page();
    await browser.clock.pass(before.submit({ ...book, takes: 60_000 }), browser.clock.time + 12_000);
    expect(before.state).toMatchObject({ status: 'waiting', step: 'capture', progress: { done: 1, of: 2 } });
    before.stop();
    const refreshed = browser.page();
    const states = statesOf(refreshed);
    expect(await browser.clock.pass(refreshed.resume())).toMatchObject({ status: 'done' });
    expect([states[0], states[1], states.at(-1)]).toEqual(['confirming', 'waiting', 'done']);
    expect([browser.api.effects, browser.api.sends.length]).toEqual([['book'], 1]);
  });

  it('that never reached the server is sent after a refresh where the page has the input, and else left to the person', async () => {
    const browser = new FakeBrowser();
    browser.api.sendFaults.push('before');
    const before = browser.page();
    await browser.clock.pass(before.submit(book), browser.clock.time + 100);
    before.stop();
    // It may still be on its way.
    expect(await browser.clock.pass(browser.page().resume())).toMatchObject({ status: 'unknown', reconciling: false });
    await browser.clock.pass(browser.clock.sleep(31_000));
    expect(await browser.clock.pass(browser.page().resume())).toMatchObject({
      status: 'failed',
      retryable: true,
      problem: undefined,
    });
    expect(browser.api.sends).toHaveLength(1);
    expect(await browser.clock.pass(browser.page().resume(book))).toMatchObject({ status: 'done' });
    expect(new Set(browser.api.sends.map(({ key }) => key)).size).toBe(1);
  });

  it('with a changed input sends nothing while the earlier one may still have its effect', async () => {
    const browser = new FakeBrowser();
    browser.api.lookFaults.push('lost', 'lost', 'lost', 'lost');
    browser.api.sendFaults.push('after');
    const page = browser.page();
    expect(await browser.clock.pass(page.submit(book))).toMatchObject({ status: 'unknown', reconciling: false });
    // It is no outcome that could have been seen.
    await page.seen();
    expect(page.state.status).toBe('unknown');
    browser.api.lookFaults.push('lost', 'lost', 'lost', 'lost');
    await expect(browser.clock.pass(page.submit(lamp))).rejects.toThrow(EarlierActionOpen);
    // A second click does not take the end of the book for that of the lamp.
    await expect(browser.clock.pass(page.submit(lamp))).rejects.toThrow(EarlierActionOpen);
    expect(await browser.clock.pass(page.resume())).toMatchObject({ status: 'done' });
    expect(browser.api.effects).toEqual(['book']);
    await page.seen();
    expect(await browser.clock.pass(page.submit(lamp))).toMatchObject({ status: 'done' });
    expect(browser.api.effects).toEqual(['book', 'lamp']);
    expect(new Set(browser.api.sends.map(({ key }) => key)).size).toBe(2);
  });

  it('with a changed input has a new key once the earlier one is known not to be there', async () => {
    const browser = new FakeBrowser();
    browser.api.sendFaults.push('before', 'before', 'before', 'before');
    const page = browser.page();
    expect(await browser.clock.pass(page.submit(book))).toMatchObject({ status: 'unknown', reconciling: false });
    await expect(browser.clock.pass(page.submit(lamp))).rejects.toThrow(EarlierActionOpen);
    await browser.clock.pass(browser.clock.sleep(31_000));
    expect(await browser.clock.pass(page.submit(lamp))).toMatchObject({ status: 'done' });
    expect(browser.api.effects).toEqual(['lamp']);
    expect(browser.api.sends.at(-1)?.key).not.toBe(browser.api.sends[0]?.key);
  });

  it('of ten names has ten keys, also at once', async () => {
    const browser = new FakeBrowser();
    const names = Array.from({ length: 10 }, (_, n) => `cart-${n}`);
    await browser.clock.pass(
      Promise.all(names.map((name) => browser.page({ name }).submit({ ...book, takes: 3_000 }))),
    );
    expect(new Set(browser.api.sends.map(({ key }) => key)).size).toBe(10);
    expect(browser.api.effects).toHaveLength(10);
  });

  it('may be sent where nobody may ask what has become of it', async () => {
    const browser = new FakeBrowser();
    browser.api.sendFaults.push('after');
    browser.api.lookFaults.push('forbidden');
    expect(await browser.clock.pass(browser.page().submit(book))).toMatchObject({ status: 'done' });
    expect([browser.api.effects, browser.api.sends.length]).toEqual([['book'], 2]);
  });

  it('is followed for as long as looks are lost, and says that it takes longer', async () => {
    const browser = new FakeBrowser();
    browser.api.lookFaults.push(...Array.from({ length: 8 }, () => 'lost' as const), 'turnedAway');
    const page = browser.page();
    const states = new Set<boolean>();
    page.subscribe(() => page.state.status === 'waiting' && states.add(page.state.slow));
    expect(await browser.clock.pass(page.submit({ ...book, takes: 15_000 }))).toMatchObject({ status: 'done' });
    expect([...states]).toEqual([false, true]);
    expect([browser.api.effects, browser.api.sends.length]).toEqual([['book'], 1]);
  });

  it('says after three seconds of silence that it takes longer', async () => {
    const browser = new FakeBrowser();
    const page = browser.page();
    const begun = browser.clock.time;
    const slow: number[] = [];
    page.subscribe(
      () => page.state.status === 'submitting' && page.state.slow && slow.push(browser.clock.time - begun),
    );
    await browser.clock.pass(page.submit({ ...book, takes: 5_000 }));
    expect(slow).toEqual([3_000]);
  });

  it('sends nothing where its key cannot be stored, unless it is declared harmless', async () => {
    const browser = new FakeBrowser();
    const closed: ActionStore = {
      get: () => undefined,
      set: () => {
        throw new Error('QuotaExceededError');
      },
    };
    await expect(browser.clock.pass(browser.page({}, closed).submit(book))).rejects.toThrow(
      /cannot be stored, so nothing was sent/,
    );
    expect(browser.api.sends).toEqual([]);
    expect(await browser.clock.pass(browser.page({ harmless: true }, closed).submit(book))).toMatchObject({
      status: 'done',
    });
  });

  it('stores no input and no result, and nothing at all of a secret', async () => {
    const browser = new FakeBrowser();
    const texts: string[] = [];
    const store: ActionStore = { get: (name) => browser.texts.get(name), set: (name, text) => void texts.push(text) };
    for (const card of ['secret-1', 'secret-2'])
      await browser.clock.pass(browser.page({ secret: ['card'] }, store).submit({ ...book, card }));
    expect(texts.join()).not.toMatch(/book|order|secret/);
    const prints = texts.map((text) => (JSON.parse(text) as { fingerprint: string }).fingerprint);
    expect(new Set(prints).size).toBe(1);
  });
});

describe('two tabs', () => {
  it.each([
    ['with Web Locks', {}, 1],
    ['without', { locks: 'none' as const }, 2],
  ])('%s that are clicked at once have one key and one effect', async (_, options, sends) => {
    const browser = new FakeBrowser(options);
    const tabs = [browser.page(), browser.page()];
    const ends = await browser.clock.pass(Promise.all(tabs.map((tab) => tab.submit({ ...book, takes: 5_000 }))));
    expect(ends?.map(({ status }) => status)).toEqual(['done', 'done']);
    expect(browser.api.effects).toEqual(['book']);
    expect(new Set(browser.api.sends.map(({ key }) => key)).size).toBe(1);
    expect(browser.api.sends).toHaveLength(sends);
  });

  it('have one effect though the one has shown the outcome before the other has its turn', async () => {
    const locks = fakeLocks();
    const browser = new FakeBrowser({ locks });
    const [one, other] = [browser.page(), browser.page()];
    const input = { ...book, takes: 2_000 };
    const shown = one.submit(input).then(() => one.seen());
    const between = locks.request('hapax//purchase/', {}, () => shown);
    const second = other.submit(input);
    await browser.clock.pass(Promise.all([between, second]));
    expect(one.state.status).toBe('idle');
    expect(other.state.status).toBe('done');
    expect(browser.api.effects).toEqual(['book']);
  });

  it('without Web Locks agree on one key, though neither saw the record of the other', async () => {
    const browser = new FakeBrowser({ locks: 'none' });
    const store: ActionStore = {
      get: (name) => browser.clock.sleep(5).then(() => browser.texts.get(name)),
      set: (name, text) => browser.clock.sleep(5).then(() => browser.texts.set(name, text)),
    };
    const tabs = [browser.page({}, store), browser.page({}, store)];
    const ends = await browser.clock.pass(Promise.all(tabs.map((tab) => tab.submit(book))));
    expect(ends?.map(({ status }) => status)).toEqual(['done', 'done']);
    expect(browser.api.effects).toEqual(['book']);
  });
});

describe('whatever fails, is clicked and is refreshed, an action', () => {
  const happenings = fc.record({
    sends: fc.array(fc.option(fc.constantFrom(...sendFaults), { nil: undefined }), { maxLength: 8 }),
    looks: fc.array(fc.option(fc.constantFrom(...lookFaults), { nil: undefined }), { maxLength: 8 }),
    takes: fc.constantFrom(0, 4_000, 25_000),
    people: fc.array(fc.constantFrom('click', 'refresh', 'refreshWithInput', 'refreshAndClick', 'secondTab'), {
      minLength: 1,
      maxLength: 6,
    }),
    locks: fc.boolean(),
    random: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    patience: fc.constantFrom(50, 2_000, 60_000),
  });

  it('has one effect and one key, is never sent more often than it may, and is done only where it has happened', async () => {
    await fc.assert(
      fc.asyncProperty(happenings, async ({ sends, looks, takes, people, locks, random, patience }) => {
        const browser = new FakeBrowser({ ...(locks ? {} : { locks: 'none' as const }), random: () => random });
        browser.api.sendFaults.push(...sends);
        browser.api.lookFaults.push(...looks);
        const input = { ...book, takes };
        let page = browser.page();
        let clicks = 1;
        await browser.clock.pass(page.submit(input), browser.clock.time + patience);
        for (const does of people) {
          if (does !== 'click' && does !== 'secondTab') page.stop();
          if (does !== 'click') page = browser.page();
          const submits = does === 'click' || does === 'secondTab' || does === 'refreshAndClick';
          if (submits) clicks += 1;
          const going = submits ? page.submit(input) : page.resume(does === 'refresh' ? undefined : input);
          await browser.clock.pass(going, browser.clock.time + patience);
        }
        const last = (await browser.clock.pass(browser.page().resume())) ?? expect.unreachable();
        await browser.clock.pass(browser.clock.sleep(60_000));
        expect(new Set(browser.api.sends.map(({ key }) => key)).size).toBeLessThanOrEqual(1);
        expect(browser.api.effects.length).toBeLessThanOrEqual(1);
        // Three by itself, and at most one for each click. Without locks each tab counts what it does itself.
        expect(browser.api.sends.length).toBeLessThanOrEqual(clicks + (locks ? 3 : 3 * (people.length + 1)));
        if (last.status === 'done') expect(browser.api.effects).toEqual(['book']);
      }),
      { numRuns: 400 },
    );
  });
});
