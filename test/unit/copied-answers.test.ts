import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { asked, type Asked } from '../../client/gateway/asked.ts';
import { CopiedAnswers, type CopyLook } from '../../client/gateway/copied-answers.ts';
import type { KeptAnswer, SettledReply } from '../../client/gateway/reply.ts';
import { checkoutFlow } from '../../workflows/checkout.flow.ts';
import { days, minutes } from '../../workflows/operation/duration.ts';
import { operationId, workflowId } from '../../workflows/operation/key.ts';
import { shipFlow } from '../../workflows/ship.flow.ts';
import { testSeals } from '../support/seal-keys.ts';

const request = {
  cartId: 'a cart',
  items: [{ sku: 'mug-blue', quantity: 1 }],
  paymentMethod: 'pm_card_visa',
};
const call = { tenant: 'alpha', environment: 'test', subject: 'someone', key: 'a-key', request } as const;
const original = asked(checkoutFlow, call);

function settled({ scope, flow }: Asked, expiresIn = days(30)): SettledReply {
  const answer: KeptAnswer = {
    ...{ kind: 'kept', status: 201, headers: { 'content-type': 'application/json; charset=utf-8' } },
    ...{ body: Buffer.from('{"orderId":"ord_ü"}'), expiresAt: new Date(Date.now() + expiresIn), expiresIn },
    flowVersion: flow.version,
  };
  const id = operationId(scope, 1);
  const named = { id, workflowId: workflowId(scope, 1), originalRequest: 'req_1' };
  return { kind: 'settled', how: 'replayed', state: 'succeeded', answer, ...named };
}

/** What stands in Redis, with its lifetime, and what was seen there. */
function copies(secret = 'a secret of the ledger') {
  const stored = new Map<string, { value: string; lifetime: number }>();
  const looks: CopyLook[] = [];
  const redis = {
    get: async (key: string) => stored.get(key)?.value,
    set: async (key: string, value: string, lifetime: number) => void stored.set(key, { value, lifetime }),
  };
  const copied = new CopiedAnswers({ redis, secret, count: (look) => looks.push(look) });
  return { copied, stored, looks };
}

describe('a copy of a settled answer', () => {
  it('says what the row would have said', async () => {
    const { copied, looks } = copies();
    copied.keep(original, settled(original), 1);
    const found = await copied.find(original, 1);
    expect(found).toMatchObject({
      ...{ kind: 'claimed', created: false, renewable: false, generation: 1, state: 'succeeded', requestId: 'req_1' },
      ...{
        id: operationId(original.scope, 1),
        fingerprint: original.digest,
        workflowId: workflowId(original.scope, 1),
      },
      answer: { kind: 'kept', status: 201, body: Buffer.from('{"orderId":"ord_ü"}'), flowVersion: 1 },
    });
    expect(looks).toEqual(['hit']);
  });

  it('carries the fingerprint of its own request, which each asker is compared with', async () => {
    const { copied } = copies();
    copied.keep(original, settled(original), 1);
    const other = asked(checkoutFlow, { ...call, request: { ...request, cartId: 'another' } });
    expect((await copied.find(other, 1))?.fingerprint).toBe(original.digest);
    expect(original.digest).not.toBe(other.digest);
  });

  it('of a request with a sealed field carries its HMAC, with the version that says so', async () => {
    const { copied, stored } = copies();
    const sealed = asked(checkoutFlow, { ...call, request: { ...request, email: 'ann@example.com' } }, testSeals);
    copied.keep(sealed, settled(sealed), 1);
    const found = await copied.find(sealed, 1);
    expect([found?.fingerprint, found?.fingerprintVersion]).toEqual([sealed.digest, sealed.digestVersion]);
    expect(sealed.digest).toMatch(/^test:/);
    expect(JSON.stringify([...stored])).not.toContain('ann@example.com');
  });

  it('lives as long as its flow declares, and no longer than the answer', () => {
    const { copied, stored } = copies();
    const lifetime = () => [...stored.values()].at(-1)?.lifetime;
    copied.keep(original, settled(original), 1);
    expect(lifetime()).toBe(checkoutFlow.copies?.lifetime);
    copied.keep(original, settled(original, minutes(1)), 1);
    expect(lifetime()).toBe(minutes(1));
  });

  it('is not made of a flow that declares none, nor of an answer that has expired', async () => {
    const { copied, stored, looks } = copies();
    const event = asked(shipFlow, { ...call, request: { orderId: 'ord_1', paymentIntent: 'pi_1' } });
    copied.keep(event, settled(event), 1);
    copied.keep(original, settled(original, 0), 1);
    expect([stored.size, await copied.find(event, 1), looks]).toEqual([0, undefined, []]);
  });

  it('leaves nothing readable in its name', () => {
    const { copied, stored } = copies();
    copied.keep(original, settled(original), 1);
    const [name = ''] = stored.keys();
    expect(name).toMatch(/^hapax:answer:[\w-]{43}$/);
  });
});

describe('what stands in Redis is ignored', () => {
  /** A copy that was made for one asker stands under the name of another. */
  async function moved(from: Asked, to: Asked, epochs: readonly [number, number] = [1, 1]) {
    const { copied, stored, looks } = copies();
    copied.keep(to, settled(to), epochs[1]);
    const [name = ''] = stored.keys();
    stored.clear();
    copied.keep(from, settled(from), epochs[0]);
    const [value] = stored.values();
    stored.set(name, value as { value: string; lifetime: number });
    return [await copied.find(to, epochs[1]), looks];
  }

  it.each([
    ['tenant', { tenant: 'beta' }],
    ['environment', { environment: 'live' }],
    ['subject', { subject: 'another' }],
    ['key', { key: 'another' }],
  ] as const)('when it is a copy of another %s', async (_, other) => {
    expect(await moved(asked(checkoutFlow, { ...call, ...other }), original)).toEqual([undefined, ['ignored']]);
  });

  it('when it is a copy of an earlier epoch, which is not even looked for', async () => {
    expect(await moved(original, original, [1, 2])).toEqual([undefined, ['ignored']]);
    const { copied, looks } = copies();
    copied.keep(original, settled(original), 1);
    expect([await copied.find(original, 2), looks]).toEqual([undefined, ['miss']]);
  });

  it('when another ledger has signed it', async () => {
    const [ours, theirs] = [copies(), copies('a secret of another ledger')];
    ours.copied.keep(original, settled(original), 1);
    theirs.copied.keep(original, settled(original), 1);
    const [name = ''] = ours.stored.keys();
    ours.stored.set(name, [...theirs.stored.values()][0] as { value: string; lifetime: number });
    expect([await ours.copied.find(original, 1), ours.looks]).toEqual([undefined, ['ignored']]);
  });

  it.each([
    ['is empty', () => ''],
    ['is garbage', () => '\u0000.{"'],
    ['has no signature', (value: string) => value.slice(value.indexOf('.'))],
    ['was cut', (value: string) => value.slice(0, -2)],
    ['has another answer', (value: string) => value.replace('"status":201', '"status":402')],
    ['has another fingerprint', (value: string) => value.replace(original.digest, 'f'.repeat(64))],
    ['has another end', (value: string) => value.replace(/"copiedUntil":\d/, '"copiedUntil":9')],
  ])('when it %s', async (_, lie) => {
    const { copied, stored, looks } = copies();
    copied.keep(original, settled(original), 1);
    const [[name, { value }] = ['', { value: '' }]] = stored;
    expect(lie(value)).not.toBe(value);
    stored.set(name, { value: lie(value), lifetime: 1 });
    expect([await copied.find(original, 1), looks]).toEqual([undefined, ['ignored']]);
  });

  it('when its time is over, though Redis gives it back', async () => {
    const { copied, looks } = copies();
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    copied.keep(original, settled(original, 40), 1);
    vi.setSystemTime(Date.now() + 60);
    expect([await copied.find(original, 1), looks]).toEqual([undefined, ['ignored']]);
  });

  it('when it was made of another version of its flow, as another build leaves it', async () => {
    const { copied, looks } = copies();
    const next = { ...checkoutFlow, version: 2 };
    copied.keep(asked(next, call), settled(asked(next, call)), 1);
    expect([await copied.find(original, 1), looks]).toEqual([undefined, ['ignored']]);
  });

  it('when Redis gives no answer', async () => {
    const looks: CopyLook[] = [];
    const away = () => Promise.reject(new Error('nobody answers'));
    const copied = new CopiedAnswers({
      redis: { get: away, set: away },
      secret: 's',
      count: (look) => looks.push(look),
    });
    copied.keep(original, settled(original), 1);
    expect([await copied.find(original, 1), looks]).toEqual([undefined, ['away']]);
  });
});
