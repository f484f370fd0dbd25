import { describe, expect, it } from 'vitest';
import { judgeMessage, largestMessage } from '../../activities/consume/judge-message.ts';
import { ownConsumers } from '../support/consumers/own-consumers.ts';
import { handed, thingHappened } from '../support/consumers/thing-happened.ts';

const { any, ordered } = ownConsumers();
const sound = thingHappened('any', { id: 'm1', aggregate: 'a', sequence: 3 });
const changed = (changes: Record<string, unknown>, consumer = any) =>
  judgeMessage(consumer, handed({ ...sound, body: JSON.stringify({ ...JSON.parse(sound.body), ...changes }) }));
const raw = (body: string | Uint8Array, subject = sound.subject) => judgeMessage(any, handed({ subject, body }));

it('a message is read with its envelope, and known by tenant, environment, source and id', () => {
  expect(judgeMessage(any, handed(sound))).toMatchObject({
    kind: 'sound',
    key: { tenant: 'alpha', environment: 'test', source: '/hapax/alpha/test', message: 'm1' },
    event: {
      ...{ id: 'm1', type: 'thing.happened', aggregate: 'any/a', sequence: 3, data: { n: 1 } },
      ...{ operation: 'op_1', cause: 'req_1', occurredAt: new Date('2026-11-28T12:00:00Z') },
    },
  });
});

it('a message of a type that the consumer does not act on is ignored, whatever its data', () => {
  expect(changed({ type: 'other.thing', data: 'anything' })).toEqual({ kind: 'ignored', erased: false });
  expect(changed({ type: 'toString' })).toEqual({ kind: 'ignored', erased: false });
  expect(changed({ data: { erased: true } })).toEqual({ kind: 'ignored', erased: true });
  // Those behind it in its aggregate would wait for it.
  expect(changed({ type: 'other.thing' }, ordered)).toMatchObject({ kind: 'sound', passes: true });
});

it('a tenant’s name is read from its subject, with what a subject cannot hold encoded', () => {
  expect(raw(sound.body, 'hapax.a%2eb%20c.live.any.a')).toMatchObject({
    key: { tenant: 'a.b c', environment: 'live' },
  });
  const long = `hapax.${'%c3%bc'.repeat(128)}.test.any.a`;
  for (const subject of [
    long,
    'hapax.a%00b.test.any.a',
    'hapax',
    'hapax..test.any.a',
    'hapax.%.test.any.a',
    'hapax.alpha.staging.any.a',
  ])
    expect(raw(sound.body, subject)).toEqual({ kind: 'nobodys' });
});

describe('a message that nobody can use says why, and is known by its place until it has an id', () => {
  it.each([
    ['nothing', '', 'message-unreadable'],
    ['text', 'hello', 'message-unreadable'],
    ['half a body', sound.body.slice(0, 40), 'message-unreadable'],
    ['a list', '[1]', 'message-unreadable'],
    ['null', 'null', 'message-unreadable'],
    ['bytes that are no UTF-8', new Uint8Array([0x7b, 0xff, 0x7d]), 'message-unreadable'],
    ['10 MB', new Uint8Array(10_000_000), 'message-too-large'],
    ['a byte too much', new Uint8Array(largestMessage + 1), 'message-too-large'],
    ['no id', '{"specversion":"1.0"}', 'message-without-id'],
    ['a null id', '{"id":null}', 'message-without-id'],
    ['an empty id', '{"id":""}', 'message-without-id'],
    ['an id of 256 characters', JSON.stringify({ id: 'x'.repeat(256) }), 'message-without-id'],
    ['an id with a line in it', '{"id":"a\\nb"}', 'message-without-id'],
    ['an id with a NUL', '{"id":"a\\u0000"}', 'message-without-id'],
  ])('%s', (_, body, code) => {
    const delivered = handed({ subject: sound.subject, body });
    const judged = judgeMessage(any, delivered);
    expect(judged).toMatchObject({ kind: 'unusable', why: { code } });
    expect(judged).toMatchObject({ key: { source: 'HAPAX_EVENTS', message: delivered.place } });
  });

  it.each([
    ['no CloudEvent', { specversion: '0.3' }, 'message-invalid', 'specversion'],
    ['a source that is none', { source: '' }, 'message-invalid', 'source'],
    ['a source with a NUL', { source: 'a\0b' }, 'message-invalid', 'source'],
    ['a subject too long for a key', { subject: 'ü'.repeat(128) }, 'message-invalid', 'subject'],
    ['a source with half a character', { source: '\ud800' }, 'message-invalid', 'source'],
    ['a cause with a line in it', { hapaxcause: 'a\nb' }, 'message-invalid', 'hapaxcause'],
    ['a time that is none', { time: 'yesterday' }, 'message-invalid', 'time'],
    ['data of another form', { data: { n: 'one' } }, 'message-invalid', 'thing.happened: n'],
    ['no data', { data: undefined }, 'message-invalid', 'thing.happened'],
  ])('%s', (_, changes, code, detail) => {
    expect(changed(changes)).toMatchObject({
      ...{ kind: 'unusable', key: { message: expect.stringMatching(/^m1$|^HAPAX_EVENTS:/) } },
      why: { code, detail: expect.stringContaining(detail) },
    });
  });

  it.each([
    ['no sequence', { sequence: undefined }, 'sequence-missing'],
    ['sequence 0', { sequence: '0' }, 'sequence-missing'],
    ['a sequence before 0', { sequence: '-1' }, 'sequence-missing'],
    ['a sequence between two', { sequence: '1.5' }, 'sequence-missing'],
    ['words for a sequence', { sequence: 'seven' }, 'sequence-missing'],
    ['no subject', { subject: undefined }, 'sequence-missing'],
    ['sequence 2^53', { sequence: String(2 ** 53) }, 'sequence-too-far'],
    ['a sequence of 40 digits', { sequence: '9'.repeat(40) }, 'sequence-too-far'],
  ])('%s, where the consumer keeps an order', (_, changes, code) => {
    expect(changed(changes, ordered)).toMatchObject({ kind: 'unusable', key: { message: 'm1' }, why: { code } });
    expect(changed(changes, any)).toMatchObject({ kind: 'sound' });
  });

  it('never with the values that it holds', () => {
    const judged = changed({ data: { n: 'ann@example.com' } });
    expect(JSON.stringify(judged.kind === 'unusable' && judged.why)).not.toContain('ann@');
  });
});
