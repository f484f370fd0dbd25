import { describe, expect, it } from 'vitest';
import { EventHandlers } from '../../client/events/event-handlers.ts';
import { EventSources } from '../../client/events/event-sources.ts';
import { readConfig } from '../../workers/config.ts';
import { creditFlow } from '../../workflows/credit.flow.ts';
import { shipFlow } from '../../workflows/ship.flow.ts';
import { days, hours } from '../../workflows/operation/duration.ts';

const secret = 'whsec_that_nobody_may_see';
const stripe = { scheme: 'stripe', tenant: 'acme', environment: 'live', secrets: [secret] };
const hmac = { ...stripe, scheme: 'hmac', signature: 'X-Signature', id: 'digest', type: 'body:type' };
const reading = (declared: unknown) => () => EventSources.read(JSON.stringify(declared));

describe('the sources of events', () => {
  it('are known by their names, and their kind is their name unless the scheme says it', () => {
    const sources = EventSources.read(
      JSON.stringify({ 'stripe-two': stripe, hub: hmac, other: { ...hmac, kind: 'hub' } }),
    );
    expect(sources.all.map(({ name, kind }) => [name, kind])).toEqual([
      ['stripe-two', 'stripe'],
      ['hub', 'hub'],
      ['other', 'hub'],
    ]);
    expect(sources.find('stripe')).toBeUndefined();
  });

  it.each([
    ['no secret', { stripe: { ...stripe, secrets: [] } }, 'stripe.secrets: give at least one secret'],
    ['an empty secret', { stripe: { ...stripe, secrets: [''] } }, 'stripe.secrets.0: give secrets of 16'],
    ['four secrets', { stripe: { ...stripe, secrets: Array(4).fill(secret) } }, 'give 3 secrets at most'],
    [
      'a secret of Standard Webhooks that is no base64',
      { a: { ...stripe, scheme: 'standard' } },
      'give secrets in base64',
    ],
    ['no tenant', { stripe: { ...stripe, tenant: '' } }, 'stripe.tenant: give the name of a tenant'],
    ['a member too many', { stripe: { ...stripe, secret } }, 'Unrecognized key: "secret"'],
    ['an id in a header, which is not signed', { hub: { ...hmac, id: 'header:X-Id' } }, 'a header is not signed'],
    ['the name of a route that is there', { s3: stripe }, "'s3' is taken"],
  ])('with %s are refused, and the secret is not told', (_what, declared, says) => {
    expect(reading(declared)).toThrow(says);
    expect(reading(declared)).not.toThrow(secret);
    expect(() => readConfig(['HAPAX_WEBHOOKS'], { HAPAX_WEBHOOKS: JSON.stringify(declared) })).not.toThrow(secret);
  });

  it('keep their ids for longer than they repeat them', () => {
    const [usual, long] = EventSources.read(
      JSON.stringify({ usual: hmac, long: { ...hmac, repeatsForHours: 24 * 60 } }),
    ).all;
    expect([usual?.repeatsFor, usual?.keep]).toEqual([hours(75), days(30)]);
    expect(long?.keep).toBeGreaterThan(long?.repeatsFor ?? Infinity);
  });
});

describe('a source that repeats its events for longer than a flow knows their ids', () => {
  const forgetful = { ...creditFlow, retention: { ...creditFlow.retention, tombstone: days(365) } };
  const of = (repeatsForHours: number, kind?: string) =>
    EventSources.read(JSON.stringify({ stripe: { ...stripe, repeatsForHours, kind } })).all;

  it('keeps the HTTP API from starting, with the flow and the two ways out', () => {
    expect(new EventHandlers([shipFlow, forgetful]).faults(of(24 * 365))).toEqual([
      expect.stringMatching(
        /^Source stripe .* 365 days, and flow credit .*workflows\/credit\.flow\.ts.*repeatsForHours/,
      ),
    ]);
  });

  it('is no fault where it repeats them for less, or no such flow listens', () => {
    expect(new EventHandlers([shipFlow, forgetful]).faults(of(24 * 364))).toEqual([]);
    expect(new EventHandlers([shipFlow, forgetful]).faults(of(24 * 365, 'other'))).toEqual([]);
  });
});
