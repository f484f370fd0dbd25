import fc from 'fast-check';
import { expect, it } from 'vitest';
import { days, minutes } from '../../workflows/operation/duration.ts';
import { contentKeyFaults } from '../../workflows/operation/content-key.ts';
import { anchoredKey, contentKey } from '../../workflows/operation/key.ts';

const window = minutes(10);

it('equal content of one caller has one key, in whatever order its fields stand', () => {
  const key = contentKey({ sku: 'mug', count: 2, to: { city: 'Bern', zip: '3000' } }, 'ann', window);
  expect(key).toMatch(/^content\.[0-9a-f]{64}$/);
  expect(contentKey({ to: { zip: '3000', city: 'Bern' }, count: 2, sku: 'mug' }, 'ann', window)).toBe(key);
  expect(contentKey(JSON.parse('{"count":2.0,"sku":"mug","to":{"city":"Bern","zip":"3000"}}'), 'ann', window)).toBe(
    key,
  );
});

it('other content, another caller and another window each have another key', () => {
  const keys = [
    contentKey({ count: 2 }, 'ann', window),
    contentKey({ count: 3 }, 'ann', window),
    contentKey({ count: '2' }, 'ann', window),
    contentKey([{ count: 2 }], 'ann', window),
    contentKey({ count: 2 }, 'bob', window),
    contentKey({ count: 2 }, 'ann', minutes(11)),
  ];
  expect(new Set(keys).size).toBe(keys.length);
});

it('what separates content from caller cannot be forged by either', () => {
  const pairs = fc.tuple(fc.jsonValue(), fc.string());
  fc.assert(
    fc.property(pairs, pairs, ([one, ann], [other, bob]) => {
      const same = JSON.stringify([one, ann]) === JSON.stringify([other, bob]);
      if (!same && contentKey(one, ann, window) === contentKey(other, bob, window))
        expect(one).toEqual(JSON.parse(JSON.stringify(other)));
    }),
  );
  expect(contentKey('a', 'b","c', window)).not.toBe(contentKey('a","b', 'c', window));
});

it.each([undefined, () => 1, Symbol('nothing')])('%o is refused: all such content would look alike', (input) => {
  expect(() => contentKey(input, 'ann', window)).toThrow('give what was asked for');
});

it('each window of a content has a key of its own for the engine, as every key may be', () => {
  const digest = 'f'.repeat(64);
  expect(anchoredKey(digest, 1_795_000_000_000)).toBe(`content.${digest}.1795000000000`);
  expect(anchoredKey(digest, 1_795_000_000_000)).toMatch(/^[\x20-\x7e]{1,255}$/);
});

it('a declared window ends with the answers at the latest, and needs a route', () => {
  const retention = { response: days(30), tombstone: days(400), because: 'a test' };
  const faults = (declared: number, route?: string) =>
    contentKeyFaults({
      ...{ name: 'demo', retention, contentKey: { window: declared, because: 'a test' } },
      ...(route === undefined ? {} : { route }),
    });
  expect([faults(1, 'demos'), faults(days(30), 'demos')]).toEqual([[], []]);
  for (const wrong of [0, -1, days(30) + 1])
    expect(faults(wrong, 'demos')).toEqual([expect.stringMatching(/^Flow demo takes equal content .*30 days/)]);
  expect(faults(1)).toEqual([expect.stringContaining('has a content key, but no route')]);
});
