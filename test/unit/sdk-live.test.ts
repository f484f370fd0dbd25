import { describe, expect, it } from 'vitest';
import type { CourseEvent } from '../../sdk/course.ts';
import { live } from '../../sdk/live.ts';
import type { OperationView } from '../../sdk/operation-view.ts';
import { type ServerEvent, serverEvents } from '../../sdk/server-events.ts';
import { VirtualClock } from '../support/sdk/virtual-clock.ts';

const id = 'op_1';
const running: OperationView = { id, state: 'running' };
const succeeded: OperationView = { id, state: 'succeeded' };
const text = (version: number, view: object) => `id: ${version}\nevent: state\ndata: ${JSON.stringify(view)}\n\n`;
const bytes = (pieces: readonly string[]) => pieces.map((piece) => new TextEncoder().encode(piece));

async function all(events: AsyncIterable<ServerEvent>): Promise<ServerEvent[]> {
  const read: ServerEvent[] = [];
  for await (const event of events) read.push(event);
  return read;
}

describe('server-sent events', () => {
  const read = async (pieces: readonly Uint8Array[]) => {
    const left = [...pieces];
    return await all(serverEvents(async () => left.shift()));
  };
  const whole = `retry: 1000\n\n:\n\n${text(1, { says: 'Größe' })}data: a\ndata: b\n\nid: 2\nevent: state\r\ndata:c\r\n\r\n`;
  const events = [
    { id: '1', event: 'state', data: '{"says":"Größe"}' },
    { id: undefined, event: 'message', data: 'a\nb' },
    { id: '2', event: 'state', data: 'c' },
  ];

  it.each([1, 2, 3, 7, 1_000])('are read whatever the pieces are in which they come: %i bytes', async (size) => {
    const sent = new TextEncoder().encode(whole);
    const pieces = Array.from({ length: Math.ceil(sent.length / size) }, (_, n) =>
      sent.slice(n * size, (n + 1) * size),
    );
    expect(await read(pieces)).toEqual(events);
  });

  it('that were cut off are none, and neither is a stream that breaks an error', async () => {
    expect(await read(bytes([text(1, running), 'id: 2\nevent: state\ndata: {"id"']))).toHaveLength(1);
    const broken = serverEvents(() => Promise.reject(new TypeError('terminated')));
    expect(await all(broken)).toEqual([]);
  });
});

describe('an operation that is followed live', () => {
  /** @param streams what each opening of the stream brings: pieces, then its end; or nothing, for ever, after `hangs` */
  async function follow(streams: readonly (readonly string[] | undefined)[], polled: readonly OperationView[] = []) {
    const clock = new VirtualClock();
    const opened: (string | undefined)[] = [];
    const closed: boolean[] = [];
    const left = [...streams];
    const api = {
      look: async (): Promise<CourseEvent> => ({ type: 'shown', view: running }),
      events: async (_: string, last: string | undefined, signal: AbortSignal) => {
        opened.push(last);
        const pieces = left.shift();
        if (pieces === undefined) return undefined;
        const at = closed.push(false) - 1;
        signal.addEventListener('abort', () => (closed[at] = true));
        const rest = [...pieces];
        return new ReadableStream<Uint8Array>(
          {
            pull(controller) {
              const piece = rest.shift();
              if (piece === undefined) controller.close();
              else if (piece === 'hangs') return new Promise(() => undefined);
              else controller.enqueue(new TextEncoder().encode(piece));
              return undefined;
            },
          },
          { highWaterMark: 0 },
        );
      },
    };
    const looks = async function* looks(): AsyncGenerator<CourseEvent> {
      for (const view of polled) yield { type: 'shown', view };
    };
    const states: string[] = [];
    const source = live(api, { sleep: clock.sleep, random: () => 0.5 }, looks);
    const followed = async (): Promise<void> => {
      for await (const event of source(id, new AbortController().signal)) {
        if (event.type === 'shown') states.push(event.view.state);
        if (states.at(-1) === 'succeeded') return;
      }
    };
    const begun = clock.time;
    await clock.pass(followed());
    return { states, opened, closed, took: clock.time - begun };
  }

  it('is looked at once, and then shown as it changes', async () => {
    const told = await follow([[text(1, running), ':\n\n', text(2, succeeded), 'hangs']]);
    expect(told).toMatchObject({
      states: ['running', 'running', 'succeeded'],
      opened: [undefined],
      closed: [true],
      took: 0,
    });
  });

  it('goes on behind the newest event where the stream ends', async () => {
    const told = await follow([[text(7, running)], [text(8, succeeded)]]);
    expect(told).toMatchObject({
      states: ['running', 'running', 'succeeded'],
      opened: [undefined, '7'],
      closed: [true, true],
    });
  });

  it('is polled where there is no stream, or it shows nothing', async () => {
    expect(await follow([undefined], [succeeded])).toMatchObject({
      states: ['running', 'succeeded'],
      opened: [undefined],
    });
    expect(await follow([[':\n\n']], [succeeded])).toMatchObject({
      states: ['running', 'succeeded'],
      opened: [undefined],
    });
  });

  it('does not wait for a stream that has gone silent', async () => {
    const told = await follow([[text(1, running), 'hangs'], undefined], [succeeded]);
    expect(told).toMatchObject({ states: ['running', 'running', 'succeeded'], closed: [true] });
    expect(told.took).toBeGreaterThanOrEqual(35_000);
    expect(told.took).toBeLessThan(40_000);
  });

  it('is not taken for another one', async () => {
    const other = { id: 'op_2', state: 'succeeded' };
    expect(await follow([[text(1, other)]], [succeeded])).toMatchObject({ states: ['running', 'succeeded'] });
  });
});
