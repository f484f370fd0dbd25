import { expect, it } from 'vitest';
import { memoryStore } from '../../sdk/action-store.ts';
import { asksOf } from '../../sdk/asks-of.ts';
import { hapaxClient } from '../../sdk/client.ts';
import { newKey } from '../../sdk/new-key.ts';
import { FakeBrowser } from '../support/sdk/fake-browser.ts';
import { VirtualClock } from '../support/sdk/virtual-clock.ts';

/** A request that was answered is not on its way any more: the person may go on at once. */

const book = { thing: 'book' };
const lamp = { thing: 'lamp' };
const malformed = { ...book, card: 'malformed' };

it('an input that was refused can be corrected at once', async () => {
  const browser = new FakeBrowser();
  const page = browser.page();
  expect(await browser.clock.pass(page.submit(malformed))).toMatchObject({ status: 'refused' });
  expect(await browser.clock.pass(page.submit(book))).toMatchObject({ status: 'done' });
});

it('an input that was refused is refused again, also after a refresh', async () => {
  const browser = new FakeBrowser();
  await browser.clock.pass(browser.page().submit(malformed));
  expect(await browser.clock.pass(browser.page().submit(malformed))).toMatchObject({ status: 'refused' });
});

it('an answer does not end the doubt about an earlier request', async () => {
  const browser = new FakeBrowser();
  browser.api.sendFaults.push('late', '401');
  const page = browser.page();
  expect(await browser.clock.pass(page.submit(book))).toMatchObject({ status: 'unknown', reconciling: false });
  await expect(browser.clock.pass(browser.page().submit(lamp))).rejects.toThrow(/may still have its effect/);
});

it('a submit that was stopped while the server was asked begins nothing', async () => {
  const browser = new FakeBrowser();
  const page = browser.page();
  await browser.clock.pass(page.submit(malformed));
  const before = browser.texts.get('hapax//purchase/');
  const stopped = page.submit(lamp);
  page.stop();
  await browser.clock.pass(stopped);
  expect(browser.texts.get('hapax//purchase/')).toBe(before);
});

it('an action that asks the person to call has no new key from a click, and one once it was seen', async () => {
  const clock = new VirtualClock();
  const keys: (string | null)[] = [];
  const cancelled: typeof fetch = async (address, init) => {
    if (init?.method === 'POST') keys.push(new Headers(init.headers).get('idempotency-key'));
    if (init?.method === 'POST') return Response.json({ id: 'op_1', state: 'running' });
    return Response.json(String(address as string).includes('token') ? {} : { id: 'op_1', state: 'cancelled' });
  };
  const surroundings = { now: clock.now, sleep: clock.sleep, timeout: clock.timeout, random: () => 0.5, newKey };
  const client = hapaxClient(
    { url: 'http://api.test', headers: () => ({}), store: memoryStore() },
    { ...surroundings, fetch: cancelled, locks: undefined },
  );
  const page = client.action({ flow: 'purchase', route: 'purchases' });
  await clock.pass(page.submit(book));
  expect(asksOf(page.state)).toBe('contact');
  await clock.pass(page.submit(book));
  expect(new Set(keys).size).toBe(1);
  await page.seen();
  await clock.pass(page.submit(book));
  expect(new Set(keys).size).toBe(2);
});
