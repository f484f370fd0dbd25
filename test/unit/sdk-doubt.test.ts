import { expect, it } from 'vitest';
import { EarlierActionOpen } from '../../sdk/earlier-action-open.ts';
import { FakeBrowser } from '../support/sdk/fake-browser.ts';

/** What an action makes of a request whose fate is not known: no way leads to a second effect that nobody has asked for. */

const book = { thing: 'book' };
const lamp = { thing: 'lamp' };
const unknown = { status: 'unknown', reconciling: false };
const keysOf = ({ api }: FakeBrowser) => new Set(api.sends.map(({ key }) => key)).size;

it('a later try that is refused says nothing of the first, whose answer was lost', async () => {
  const browser = new FakeBrowser();
  browser.api.sendFaults.push('after', '401');
  browser.api.lookFaults.push('expired');
  const page = browser.page();
  expect(await browser.clock.pass(page.submit(book))).toMatchObject(unknown);
  await page.seen();
  // The person has signed in again.
  expect(await browser.clock.pass(browser.page().submit(book))).toMatchObject({ status: 'done' });
  expect([browser.api.effects, keysOf(browser)]).toEqual([['book'], 1]);
});

it('a first try that is refused is an outcome', async () => {
  const browser = new FakeBrowser();
  browser.api.sendFaults.push('401');
  expect(await browser.clock.pass(browser.page().submit(book))).toMatchObject({ status: 'refused' });
});

it('an input that was changed is not sent while a caller who was signed out cannot ask about the earlier one', async () => {
  const browser = new FakeBrowser();
  browser.api.sendFaults.push('after');
  browser.api.lookFaults.push('lost', 'lost', 'lost', 'lost', 'expired');
  const page = browser.page();
  expect(await browser.clock.pass(page.submit(book))).toMatchObject(unknown);
  await expect(browser.clock.pass(page.submit(lamp))).rejects.toThrow(EarlierActionOpen);
  expect(browser.api.effects).toEqual(['book']);
});

it('an input that was changed is not sent while the earlier request may be on its way', async () => {
  const browser = new FakeBrowser();
  browser.api.sendFaults.push('late', 'before', 'before', 'before');
  const page = browser.page();
  expect(await browser.clock.pass(page.submit(book))).toMatchObject(unknown);
  await expect(browser.clock.pass(page.submit(lamp))).rejects.toThrow(EarlierActionOpen);
  await browser.clock.pass(browser.clock.sleep(31_000));
  expect(browser.api.effects).toEqual(['book']);
});

it('an operation that is not shown any more has not been missing all the time', async () => {
  const browser = new FakeBrowser();
  const before = browser.page();
  await browser.clock.pass(before.submit({ ...book, takes: 60_000 }), browser.clock.time + 12_000);
  before.stop();
  browser.api.lookFaults.push('gone');
  expect(await browser.clock.pass(browser.page().resume({ ...book, takes: 60_000 }))).toMatchObject(unknown);
  expect([browser.api.effects, browser.api.sends.length]).toEqual([['book'], 1]);
});

it('an old page that says what was seen leaves the record of a newer action alone', async () => {
  const browser = new FakeBrowser();
  const [old, page] = [browser.page(), browser.page()];
  await browser.clock.pass(old.submit(book));
  await browser.clock.pass(page.resume());
  await page.seen();
  await browser.clock.pass(page.submit({ ...lamp, takes: 60_000 }), browser.clock.time + 5_000);
  await old.seen();
  page.stop();
  expect(await browser.clock.pass(browser.page().resume())).toMatchObject({ status: 'done' });
  expect([browser.api.effects, keysOf(browser)]).toEqual([['book', 'lamp'], 2]);
});

it('what the page makes of its input after the click changes nothing', async () => {
  const browser = new FakeBrowser();
  browser.api.sendFaults.push('500');
  const cart = { ...book };
  const bought = browser.page().submit(cart);
  cart.thing = 'lamp';
  expect(await browser.clock.pass(bought)).toMatchObject({ status: 'done' });
  expect(browser.api.effects).toEqual(['book']);
});

it('a key that was used for another request has arrived before, and what became of it is the outcome', async () => {
  const browser = new FakeBrowser();
  browser.api.sendFaults.push('after');
  browser.api.lookFaults.push('lost', 'lost', 'lost', 'lost', 'forbidden');
  const page = browser.page({ intent: ['thing'] });
  expect(await browser.clock.pass(page.submit({ ...book, card: 'one' }))).toMatchObject(unknown);
  expect(await browser.clock.pass(page.submit({ ...book, card: 'two' }))).toMatchObject({ status: 'done' });
  expect([browser.api.effects, keysOf(browser)]).toEqual([['book'], 1]);
});

it('an action that was stopped goes on in the same turn', async () => {
  const browser = new FakeBrowser();
  const page = browser.page();
  await browser.clock.pass(page.submit({ ...book, takes: 20_000 }), browser.clock.time + 12_000);
  page.stop();
  expect(await browser.clock.pass(page.resume())).toMatchObject({ status: 'done' });
  expect([browser.api.effects, browser.api.sends.length]).toEqual([['book'], 1]);
});

it('a second tab shows that the first one acts, before it may act itself', async () => {
  const browser = new FakeBrowser();
  const [first, second] = [browser.page(), browser.page()];
  const acting = first.submit({ ...book, takes: 20_000 });
  await browser.clock.pass(acting, browser.clock.time + 12_000);
  const shown = second.resume();
  await browser.clock.pass(shown, browser.clock.time + 100);
  expect(second.state.status).toBe('confirming');
  expect(await browser.clock.pass(shown)).toMatchObject({ status: 'done' });
  expect(browser.api.sends).toHaveLength(1);
});

it('a clock that was set back does not make an old outcome that of a new action', async () => {
  const browser = new FakeBrowser();
  const page = browser.page();
  await browser.clock.pass(page.submit(book));
  await page.seen();
  browser.clock.time -= 3_600_000;
  expect(await browser.clock.pass(page.submit(book))).toMatchObject({ status: 'done' });
  expect(browser.api.effects).toEqual(['book', 'book']);
});
