import { PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MeasuredBody, readBody } from '../../client/uploads/measured-body.ts';
import { type Pace, uploadPace } from '../../client/uploads/sender-watch.ts';
import { hours, seconds } from '../../workflows/operation/duration.ts';
import { slowestTransfer, transferTime } from '../../workflows/operation/transfer-time.ts';
import { largestPut, longestTransfer, signatureLifetime, uploadFlow } from '../../workflows/upload.flow.ts';

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A sender of pieces of 100 bytes, with a pause before each. */
async function* pieces(many: number, between: number): AsyncGenerator<Buffer> {
  for (let n = 0; n < many; n += 1) {
    await pause(between);
    yield Buffer.alloc(100);
  }
}
const sent = (many: number, between: number) => Readable.from(pieces(many, between), { objectMode: false });

/** As the product's, in shorter times. */
const pace = (grace: number, bytesASecond: number, silence = 10_000): Pace => ({
  silence,
  grace,
  timeFor: (bytes) => seconds(bytes / bytesASecond),
});

/** Time passes for as long as it takes, whatever else the machine does. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  let over = false;
  void work.finally(() => (over = true));
  while (!over) await vi.advanceTimersByTimeAsync(10);
  return await work;
}

describe('a sender', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
  afterEach(() => void vi.useRealTimers());

  it('is not given up while its average rate is above the slowest, however long it takes', async () => {
    // 2,000 bytes a second at most, of which half must come; three times the grace.
    const read = await inTime(readBody(sent(30, 50), { size: 3_000 }, pace(500, 500)));
    expect(read.kind).toBe('read');
  });

  it('may be slower than that until the grace is over, and then it is given up', async () => {
    expect((await inTime(readBody(sent(5, 50), { size: 500 }, pace(2_000, 100_000)))).kind).toBe('read');
    const begun = performance.now();
    expect((await inTime(readBody(sent(100, 50), { size: 10_000 }, pace(500, 100_000)))).kind).toBe('slow');
    expect(performance.now() - begun).toBeGreaterThan(490);
  });

  it('that stops sending is given up after a silence, whatever it has sent before', async () => {
    const source = new PassThrough();
    source.write(Buffer.alloc(10_000));
    const begun = performance.now();
    expect((await inTime(readBody(source, { size: 20_000 }, pace(60_000, 1, 300)))).kind).toBe('silent');
    expect(performance.now() - begun).toBeGreaterThan(290);
  });

  it('is not blamed for a store that takes nothing', async () => {
    const source = new PassThrough();
    const body = new MeasuredBody(source, { size: 1_000_000 }, 0, () => undefined, pace(100, 1_000_000, 100));
    source.end(Buffer.alloc(1_000_000));
    await vi.advanceTimersByTimeAsync(400);
    expect([body.fault, body.waitsForSender]).toEqual([undefined, false]);
    body.stream.resume();
    await vi.advanceTimersByTimeAsync(400);
    expect([body.fault, body.size, body.waitsForSender]).toEqual([undefined, 1_000_000, false]);
    body.release();
  });
});

describe('the slowest rate', () => {
  it('decides how long the largest body may take, and that an upload waits for so long', () => {
    expect(transferTime(slowestTransfer)).toBe(seconds(1));
    expect(longestTransfer).toBe(uploadPace.grace + transferTime(largestPut));
    expect(longestTransfer).toBeLessThan(uploadFlow.patience);
  });

  it('decides when nothing can come any more, and the sweep may look', () => {
    expect(uploadFlow.sweepAfter).toBe(signatureLifetime + longestTransfer + hours(1));
  });
});
