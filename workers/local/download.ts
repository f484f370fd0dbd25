import { createWriteStream } from 'node:fs';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Say } from './say.ts';

/** A server that is reachable answers within 1–2 s; a machine behind a closed door must not wait long at each. */
const answerPatience = 5_000;
/** A slow line is no fault; a line on which nothing comes is. */
const stallPatience = 15_000;

/** Asks for a small text, such as a list of digests. */
export async function downloadText(url: string): Promise<string> {
  const response = await answer(url, AbortSignal.timeout(stallPatience));
  return response.text();
}

/** Fetches a file and says how far it is. */
export async function downloadFile(url: string, destination: string, say: Say): Promise<void> {
  const stalled = new AbortController();
  const response = await answer(url, stalled.signal);
  const total = Number(response.headers.get('content-length') ?? 0);
  let received = 0;
  let told = Date.now();
  let stall = setTimeout(() => stalled.abort(), stallPatience);
  const progress = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      clearTimeout(stall);
      stall = setTimeout(() => stalled.abort(), stallPatience);
      received += chunk.length;
      if (Date.now() - told > 2_000) {
        told = Date.now();
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

/** fetch says only "fetch failed"; what happened is in the cause. */
const causeOf = (fault: Error) => (fault.cause instanceof Error ? fault.cause.message : fault.message);
const megabytes = (bytes: number) => Math.round(bytes / 1_000_000);
