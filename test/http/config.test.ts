import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { isoDuration } from '../../client/http/routes/config-route.ts';
import { flows } from '../../workflows/flows.ts';
import { isPosted } from '../../workflows/operation/flow.ts';
import { days, hours, minutes, seconds } from '../../workflows/operation/duration.ts';
import { Uploader } from '../support/uploader.ts';
import { type Answered, World } from '../support/world.ts';

let world: World;
let uploader: Uploader;
beforeAll(async () => {
  world = await World.create(inject('ground'), { media: true, upkeep: false });
  uploader = await Uploader.of(world);
});
afterAll(async () => {
  await uploader.close();
  await world.close();
});

type Published = {
  name: string;
  url: string;
  key: { required: boolean; maxLength: number };
  lifetime: Record<'answer' | 'key' | 'retries', { iso8601: string; seconds: number }>;
  fingerprint: { fields: string[] };
};

async function published(): Promise<Published[]> {
  const answer = await world.ask('GET', '/v1/config', { token: null });
  expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'public, max-age=300']);
  return answer.json.flows as Published[];
}

const posted = flows.filter(isPosted);

it('a client reads before it asks for how long a retry is safe, of each flow and without a token', async () => {
  const told = await published();
  expect(told.map(({ name }) => name)).toEqual(posted.map(({ name }) => name));
  for (const [n, { route, retention, retryHorizon, intent }] of posted.entries()) {
    const { url, key, lifetime, fingerprint } = told[n] as Published;
    expect([url, key.required, key.maxLength]).toEqual([`/v1/${route}`, true, 255]);
    expect(lifetime.answer.seconds).toBe(retention.response / 1_000);
    expect(lifetime.key.seconds).toBe(retention.tombstone / 1_000);
    expect(lifetime.retries.seconds).toBe(retryHorizon / 1_000);
    expect(fingerprint.fields).toEqual(intent);
  }
  const checkout = told.find(({ name }) => name === 'checkout') as Published;
  expect([checkout.lifetime.answer.iso8601, checkout.lifetime.key.iso8601]).toEqual(['P30D', 'P400D']);
});

it('what it says of an answer is what Idempotency-Expires says', async () => {
  const told = new Map((await published()).map((flow) => [flow.name, flow]));
  const agrees = async (flow: string, answer: Answered) => {
    const { settledAt } = (await world.ask('GET', `/v1/operations/${answer.json.id}`)).json as { settledAt: string };
    const expires = Date.parse(answer.headers.get('idempotency-expires') ?? '');
    // The header has whole seconds.
    const kept = (expires - Date.parse(settledAt)) / 1_000;
    expect(Math.abs(kept - (told.get(flow)?.lifetime.answer.seconds ?? 0))).toBeLessThanOrEqual(1);
  };
  await agrees('checkout', await world.checkout('expires'));
  const announced = await uploader.announced('expires', Buffer.from('abc'));
  await uploader.send(announced, Buffer.from('abc'));
  await uploader.ended(announced.id);
  await agrees('upload', await uploader.announce('expires', Buffer.from('abc')));
});

it('each key that it promises is taken, and one character more is not', async () => {
  const longest = (await published())[0]?.key.maxLength ?? 0;
  const body = world.cart('longest');
  expect((await world.checkout('k'.repeat(longest), {}, { body })).status).toBe(201);
  expect((await world.checkout('k'.repeat(longest + 1), {}, { body })).json.code).toBe('key-malformed');
});

it.each([
  [days(30), 'P30D'],
  [hours(36), 'PT36H'],
  [minutes(90), 'PT90M'],
  [seconds(1.5), 'PT1.5S'],
])('%d ms is %s', (milliseconds, iso) => {
  expect(isoDuration(milliseconds)).toBe(iso);
});
