import { expect, it, vi } from 'vitest';
import { deliver } from '../../activities/delivery/deliver.ts';
import { forEachEndpoint, WebhookOutlets } from '../../activities/delivery/webhook/webhook-outlets.ts';
import { Doubtful } from '../../activities/stores/outcomes/doubtful.ts';
import { Throttled } from '../../activities/stores/outcomes/throttled.ts';
import type { Delivery, Webhook } from '../../activities/stores/postgres/outbox/due-deliveries.ts';
import { days, hours, minutes, seconds } from '../../workflows/operation/duration.ts';

const watch = { sent: () => undefined, turnedAway: () => undefined, opened: vi.fn<(...told: unknown[]) => void>() };

function due(endpoint: string, changes: Partial<Delivery> = {}, disabled = false): Delivery {
  return {
    ...{ id: 'dl_1', fence: 1n, mayHaveLeft: undefined, tries: 1, dueFor: 0 },
    message: {
      ...{ id: 'msg_1', tenant: 'alpha', environment: 'test', channel: 'webhook', about: 'ast_1', operation: 'op_1' },
      ...{ type: 'asset.ready', payload: {}, occurredAt: new Date(0) },
    },
    webhook: {
      ...{ endpoint, url: 'https://shop.example.com', disabled, deleted: false, secrets: [] },
      event: { aggregate: 'asset', sequence: 1, cause: null },
    },
    ...changes,
  };
}

/** Ways out whose receivers do what a test says. */
function ways(receives: (endpoint: string) => Promise<void>) {
  const calls: string[] = [];
  const outlets = new WebhookOutlets(
    {
      async send(_message, { endpoint }, { handOver }) {
        await handOver();
        calls.push(endpoint);
        await receives(endpoint);
      },
    },
    watch,
  );
  const sent = (delivery: Delivery) =>
    deliver(delivery, {
      outlet: outlets.of(delivery),
      begin: async () => true,
      signal: new AbortController().signal,
      random: 0.5,
    });
  return { calls, sent };
}

const fails = async () => {
  throw new Doubtful('The receiver answered 500.');
};

it('a receiver that fails again and again is left alone, and no other one is', async () => {
  const { calls, sent } = ways(async (endpoint) => (endpoint === 'we_dead' ? await fails() : undefined));
  for (let n = 0; n < 20; n += 1) await sent(due('we_dead'));
  expect(calls).toHaveLength(5);
  expect(watch.opened.mock.calls).toEqual([['we_dead', true, 1]]);
  expect(await sent(due('we_dead'))).toMatchObject({ state: 'due', heldBack: true, code: 'delivery-failed' });
  expect(await sent(due('we_good'))).toEqual({ state: 'sent' });
});

it('a receiver that hangs has few webhooks under way, and no other one waits for it', async () => {
  const answer = Promise.withResolvers<void>();
  const { calls, sent } = ways(async (endpoint) => (endpoint === 'we_slow' ? await answer.promise : undefined));
  const slow = Array.from({ length: 10 }, () => sent(due('we_slow')));
  expect(await sent(due('we_good'))).toEqual({ state: 'sent' });
  expect(calls.filter((endpoint) => endpoint === 'we_slow')).toHaveLength(forEachEndpoint);
  answer.resolve();
  await Promise.all(slow);
});

it('a receiver that asks us to wait gets nothing else meanwhile', async () => {
  const asked = new Throttled('The receiver asks us to wait (status 429).', minutes(2));
  const { calls, sent } = ways(async () => {
    throw asked;
  });
  expect(await sent(due('we_1'))).toMatchObject({ state: 'due', pause: minutes(2), heldBack: false });
  const next = await sent(due('we_1'));
  expect(next).toMatchObject({ state: 'due', heldBack: true });
  expect(next.state === 'due' && next.pause > minutes(1.9)).toBe(true);
  expect(calls).toHaveLength(1);
});

it('a webhook is tried thirteen times in some three days, and then waits for a person without any doubt', async () => {
  const { sent } = ways(fails);
  let dueFor = 0;
  const pauses: number[] = [];
  for (let tries = 1; ; tries += 1) {
    const mayHaveLeft = tries === 1 ? undefined : { by: 'we_1', ago: dueFor };
    // A receiver of its own for each try, so that no breaker is between.
    const became = await sent(due(`we_${tries}`, { tries, dueFor, mayHaveLeft }));
    if (became.state !== 'due') {
      expect(became).toEqual({
        ...{ state: 'failed', code: 'delivery-failed', detail: 'The receiver answered 500.', doubted: false },
      });
      break;
    }
    pauses.push(became.pause);
    dueFor += became.pause;
  }
  expect(pauses).toHaveLength(12);
  expect(pauses.slice(0, 4)).toEqual([seconds(5), seconds(25), seconds(125), seconds(625)]);
  expect([Math.max(...pauses), dueFor > days(3), dueFor < days(3.5)]).toEqual([hours(12), true, true]);
});

it('what waits behind a receiver that is dead for days ends with its patience, though it had no try', async () => {
  const { calls, sent } = ways(fails);
  for (let n = 0; n < 10; n += 1) await sent(due('we_dead'));
  const tries = calls.length;
  expect(await sent(due('we_dead', { dueFor: days(3) }))).toMatchObject({
    ...{ state: 'failed', code: 'delivery-failed', heldBack: true },
  });
  expect(calls).toHaveLength(tries);
});

it('nothing goes to an endpoint that was deleted, and nobody has to look at it', async () => {
  const { calls, sent } = ways(async () => undefined);
  const { webhook, ...rest } = due('we_1', {}, true);
  expect(await sent({ ...rest, webhook: { ...(webhook as Webhook), deleted: true } })).toEqual({ state: 'erased' });
  expect(calls).toEqual([]);
});

it('nothing goes to an endpoint that is disabled: it waits for a person', async () => {
  const { calls, sent } = ways(async () => undefined);
  expect(await sent(due('we_1', {}, true))).toMatchObject({ state: 'failed', code: 'endpoint-disabled' });
  expect(calls).toEqual([]);
});
