import { describe, expect, it } from 'vitest';
import { scopeName } from '../../client/gateway/answer-cache.ts';
import { type Call, sound } from '../../client/gateway/call.ts';
import { checkoutFlow } from '../../workflows/checkout.flow.ts';

const call: Call<typeof checkoutFlow> = {
  ...{ tenant: 'alpha', environment: 'test', subject: 'ann', key: 'k', requestId: 'req_1' },
  request: { cartId: 'c', items: [{ sku: 'mug-blue', quantity: 1 }], paymentMethod: 'pm_card_visa' },
};

describe('what a backend service asks', () => {
  it.each([
    ['key', { key: 'ключ' }],
    ['key', { key: '' }],
    ['tenant', { tenant: 'a\nb' }],
    ['tenant', { tenant: '' }],
    ['subject', { subject: 'ann\0' }],
    ['subject', { subject: 'a'.repeat(201) }],
    ['requestId', { requestId: 'msg-☃' }],
    ['requestId', { requestId: 'a\r\nset-cookie: b' }],
    ['paymentMethod', { request: { ...call.request, paymentMethod: '4242424242424242' } }],
  ] as const)('is refused where its %s could not be kept or told', (field, changes) => {
    expect(() => sound(checkoutFlow, { ...call, ...changes })).toThrow(new RegExp(field, 'i'));
  });

  it('passes as it is otherwise', () => {
    expect(sound(checkoutFlow, { ...call, subject: 'Žofie Nováková' }).subject).toBe('Žofie Nováková');
  });

  it('is remembered under a name that no other scope has', () => {
    const one = { tenant: 't', environment: 'test', subject: 'b\ntest\nc', flow: 'f', key: 'k' } as const;
    const other = { tenant: 't\ntest\nb', environment: 'test', subject: 'c', flow: 'f', key: 'k' } as const;
    expect(scopeName(one)).not.toBe(scopeName(other));
  });
});
