import { createHmac } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Database, Statement } from '../../activities/stores/postgres/database.ts';
import { EventHandlers } from '../../client/events/event-handlers.ts';
import { EventSources } from '../../client/events/event-sources.ts';
import { Inbox } from '../../client/events/inbox.ts';
import { booksFlow } from '../../workflows/books.flow.ts';

const secret = 'secret_of_the_hub';
const sources = EventSources.read(
  JSON.stringify({
    hub: {
      ...{ scheme: 'hmac', kind: 'stripe', tenant: 'alpha', environment: 'test', secrets: [secret] },
      ...{ signature: 'X-Signature', id: 'body:id', type: 'body:type' },
    },
  }),
);

/** A ledger that records at once; its notices end when they are let. */
function ledger() {
  const sent: string[] = [];
  const notices: (() => void)[] = [];
  const alone = async ({ name }: Statement) => {
    sent.push(name);
    if (name === 'tell_of_events') await new Promise<void>((resolve) => notices.push(resolve));
    return [{ recorded: true }];
  };
  return {
    database: { alone } as unknown as Database,
    told: () => sent.filter((name) => name === 'tell_of_events').length,
    async answerNotice() {
      notices.shift()?.();
      await setImmediate();
    },
  };
}

function delivery(id: string) {
  const body = Buffer.from(JSON.stringify({ id, type: 'charge.updated' }));
  return { headers: { 'x-signature': [createHmac('sha256', secret).update(body).digest('hex')] }, body };
}

it('tells of all events that were recorded during a notice with one more, and of none that nobody hears', async () => {
  const { database, told, answerNotice } = ledger();
  const inbox = new Inbox({ database, sources, handlers: new EventHandlers([booksFlow]) });
  const take = async (id: string) => {
    await inbox.take('hub', delivery(id), 'req');
    await setImmediate();
  };
  await take('first');
  expect(told()).toBe(1);
  for (let n = 0; n < 5; n += 1) await take(`during ${n}`);
  expect(told()).toBe(1);
  await answerNotice();
  expect(told()).toBe(2);
  await answerNotice();
  expect(told()).toBe(2);
  await take('later');
  expect(told()).toBe(3);
  await answerNotice();
  const deaf = new Inbox({ database, sources, handlers: new EventHandlers([]) });
  await deaf.take('hub', delivery('unheard'), 'req');
  await setImmediate();
  expect(told()).toBe(3);
});
