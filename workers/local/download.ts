import { createWriteStream } from 'node:fs';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Say } from './say.ts';

/** A reachable server answers within 1–2 s. A machine without internet access must not wait long for each. Milliseconds. */
const answerPatience = 5_000;
/** A slow connection is fine, but one on which nothing comes is not. Milliseconds. */
const stallPatience = 15_000;

/** Downloads a small text, such as a list of digests. */
export async function downloadText(url: string): Promise<string> {
  const response = await answer(url, AbortSignal.timeout(stallPatience));
  return response.text();
}

/** Downloads a file and shows progress. */
export async function downloadFile(url: string, destination: string, say: Say): Promise<void> {
  const stalled = new AbortController();
  const response = await answer(url, stalled.signal);
  const total = Number(response.headers.get('content-length') ?? 0);
  let received = 0;
  let reported = Date.now();
  let stall = setTimeout(() => stalled.abort(), stallPatience);
  const progress = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      clearTimeout(stall);
      stall = setTimeout(() => stalled.abort(), stallPatience);
      received += chunk.length;
      if (Date.now() - reported > 2_000) {
        reported = Date.now();
        say(`  ${megabytes(received)}${total ? ` of ${megabytes(total)}` : ''} MB from ${new URL(url).host}`);
      }
      done(null, chunk);
    },
  });
  try {
    await pipeline(response.body as NonNullable<Response['body']>, progress, createWriteStream(destination));
  } finally {
    clearTimeout(stall);
  }
}

async function answer(url: string, signal: AbortSignal): Promise<Response> {
  const host = new URL(url).host;
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), answerPatience);
  const response = await fetch(url, { signal: AbortSignal.any([signal, patience.signal]) })
    .catch((fault: Error) => {
      const reason = patience.signal.aborted ? `no answer in ${answerPatience / 1000} s` : causeOf(fault);
      throw new Error(`${host}: ${reason}`);
    })
    .finally(() => clearTimeout(timer));
  if (!response.ok) throw new Error(`${host} answered ${response.status}`);
  return response;
}

/** fetch says only "fetch failed"; the reason is in the cause. */
const causeOf = (fault: Error) => (fault.cause instanceof Error ? fault.cause.message : fault.message);
const megabytes = (bytes: number) => Math.round(bytes / 1_000_000);
