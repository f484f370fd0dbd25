import { describe, expect, it } from 'vitest';
import { eventEnvelope } from '../../activities/delivery/event-envelope.ts';
import { eventSubject } from '../../activities/relay/event-subject.ts';
import type { OutboxEvent } from '../../activities/stores/postgres/outbox/due-events.ts';

const event: OutboxEvent = {
  ...{ id: `msg_${'0'.repeat(26)}`, tenant: 'alpha', environment: 'live', aggregateType: 'asset', aggregate: 'ast_1' },
  ...{ sequence: 12n, type: 'asset.ready', operation: 'op_1', cause: 'req_1', payload: { asset: 'ast_1' } },
  occurredAt: new Date('2026-01-02T03:04:05.678Z'),
};

describe('an envelope', () => {
  it('is a CloudEvent 1.0 with the operation, its cause and the sequence as extensions', () => {
    expect(eventEnvelope(event)).toEqual({
      ...{ specversion: '1.0', id: event.id, source: '/hapax/alpha/live', type: 'asset.ready', subject: 'asset/ast_1' },
      ...{ time: '2026-01-02T03:04:05.678Z', datacontenttype: 'application/json', data: { asset: 'ast_1' } },
      ...{ sequence: '0000000000000000012', hapaxoperation: 'op_1', hapaxcause: 'req_1' },
    });
  });

  it('names its attributes as CloudEvents asks: with lower-case letters and digits only', () => {
    expect(Object.keys(eventEnvelope(event)).filter((name) => !/^[a-z0-9]+$/.test(name))).toEqual([]);
  });

  it('has sequences that sort as text as they do as numbers', () => {
    const sequences = [9n, 10n, 2n ** 63n - 1n].map((sequence) => eventEnvelope({ ...event, sequence }).sequence);
    expect(sequences.toSorted()).toEqual(sequences);
    expect(sequences.map(BigInt)).toEqual([9n, 10n, 2n ** 63n - 1n]);
  });

  it('of a cause that nobody knows leaves it out', () => {
    expect(eventEnvelope({ ...event, cause: null })).not.toHaveProperty('hapaxcause');
  });

  it('is not made of what is no CloudEvent', () => {
    expect(() => eventEnvelope({ ...event, type: '' })).toThrow('type');
  });
});

describe('a subject', () => {
  it.each([
    ['plain', { aggregate: 'ast_1-a' }, 'hapax.alpha.live.asset.ast_1-a'],
    ['with dots and wildcards', { aggregate: 'a.b*>c d' }, 'hapax.alpha.live.asset.a%2eb%2a%3ec%20d'],
    ['with a percent sign', { aggregate: '100%' }, 'hapax.alpha.live.asset.100%25'],
    ['beyond ASCII', { aggregate: 'é' }, 'hapax.alpha.live.asset.%c3%a9'],
    ['empty', { aggregate: '' }, 'hapax.alpha.live.asset.%'],
  ])('has a token of its own for an aggregate: %s', (_, about, subject) => {
    expect(eventSubject({ ...event, ...about })).toBe(subject);
  });

  it('stays short and distinct where the id is long', () => {
    const [one, other] = ['a', 'b'].map((end) => eventSubject({ ...event, aggregate: 'x'.repeat(10_000) + end }));
    expect(one).toMatch(/^hapax\.alpha\.live\.asset\.%%[0-9a-f]{64}$/);
    expect(one).not.toBe(other);
  });
});
