import { seconds } from '../../workflows/operation/duration.ts';
import { FinalError } from './final-error.ts';
import { keptRefusal, keptValue, outcomeOf } from './kept-outcome.ts';
import type { Hold, Layer, Terms } from './layer.ts';
import { layered } from './layered.ts';
import { StillRunning } from './still-running.ts';

export type OnceOptions = {
  /** From the fastest to the one that decides; one is enough. Make them at start and give the same ones to each call. */
  readonly layers: readonly Layer[];
  /** How long the answer is given again, from the end of the run. Milliseconds. */
  readonly window: number;
  /** How long a call waits for another one that runs. Milliseconds, 10 s by default. */
  readonly wait?: number;
  /** How long a holder that has died keeps the others from running. It is renewed while the holder lives. Milliseconds, 10 s by default. */
  readonly lease?: number;
};

/** What a run is told. */
export type Running = {
  /** Grows with each run of the id, where the deciding layer counts: a system downstream can turn a former run away. */
  readonly fence: string | undefined;
  /** Aborted when another call has taken the id over. */
  readonly signal: AbortSignal;
};

type Ended =
  | { readonly kind: 'answered'; readonly answer: string }
  /** @member inHand the outcome of a run of this process that another call kept from being settled */
  | { readonly kind: 'taken'; readonly inHand: string | undefined }
  | { readonly kind: 'failed'; readonly error: unknown };

/** A lease is renewed three times before it ends, so that one lost renewal does no harm. */
const renewals = 3;
/** Between two looks at an id that another process holds. They grow from the first to the last. Milliseconds. */
const firstPause = 20;
const longestPause = 250;

/** Calls that are under way in this process, by the layer that decides. */
const underWay = new WeakMap<Layer, Map<string, Promise<Ended>>>();

/**
 * Runs something once for each id, and gives its answer to every call with that id for the window.
 *
 * Of concurrent calls one runs, and the others wait for its answer. When the run throws, that call gets the error,
 * nothing is kept, and the next call runs: one of those that wait, or a later one. A `FinalError` is kept. What a crash
 * leaves is up to the deciding layer (`afterCrash`): see docs/dedup.md. No call runs twice: one that was taken over
 * keeps its outcome in hand, and settles it where the id is free again.
 * @param run gives a JSON value, or nothing; every call gets it as JSON gives it back
 * @throws FinalError when the run has ended with one, or with an answer that JSON cannot tell
 * @throws StillRunning when another call is still running after the wait
 * @example await once(message.id, () => book(message), { layers: [memoryLayer(), postgres], window: days(7) })
 */
export async function once<T>(
  id: string,
  run: (running: Running) => Promise<T> | T,
  { layers, window, wait = seconds(10), lease = seconds(10) }: OnceOptions,
): Promise<T> {
  const layer = layered(layers);
  const calls = callsOf(layers.at(-1) as Layer);
  const until = performance.now() + wait;
  let pause = firstPause;
  let inHand: string | undefined;
  let hasRun = false;
  const running = (told: Running) => {
    hasRun = true;
    return run(told);
  };
  for (;;) {
    const other = calls.get(id);
    const ended =
      other === undefined
        ? await lead(calls, id, () => attempt(layer, id, running, { lease, window }, inHand))
        : await within(other, until);
    if (ended?.kind === 'answered') return outcomeOf(ended.answer) as T;
    if (ended?.kind === 'failed' && other === undefined) throw ended.error;
    const left = until - performance.now();
    if (left <= 0) throw new StillRunning(id, hasRun);
    if (ended?.kind !== 'taken') continue;
    inHand = ended.inHand ?? inHand;
    await layer.changed(id, Math.min(pause, left));
    pause = Math.min(pause * 1.5, longestPause);
  }
}

function callsOf(layer: Layer): Map<string, Promise<Ended>> {
  let calls = underWay.get(layer);
  if (calls === undefined) underWay.set(layer, (calls = new Map()));
  return calls;
}

/** Makes the call that others of this process wait for. */
async function lead(calls: Map<string, Promise<Ended>>, id: string, call: () => Promise<Ended>): Promise<Ended> {
  const ended = call().catch((error: unknown): Ended => ({ kind: 'failed', error }));
  calls.set(id, ended);
  try {
    return await ended;
  } finally {
    calls.delete(id);
  }
}

/** @param inHand the outcome of a run that has not been settled: it is settled instead of running again */
async function attempt(
  layer: Layer,
  id: string,
  run: (running: Running) => unknown,
  terms: Terms,
  inHand: string | undefined,
): Promise<Ended> {
  const claimed = await layer.claim(id, terms);
  if (claimed.kind === 'taken') return { kind: 'taken', inHand };
  if (claimed.kind === 'answered') return claimed;
  const { hold } = claimed;
  if (inHand !== undefined) {
    const kept = await layer.settle(id, hold, inHand, terms.window);
    return kept ? { kind: 'answered', answer: inHand } : { kind: 'taken', inHand };
  }
  let answer: string;
  try {
    answer = keptValue(await whileHeld(layer, id, hold, terms, run));
  } catch (error) {
    if (!(error instanceof FinalError)) {
      // Where this fails, the layer tries again by itself, or the end of the lease frees the id.
      await layer.release(id, hold).catch(() => undefined);
      return { kind: 'failed', error };
    }
    answer = keptRefusal(error);
  }
  const settled = await layer.settle(id, hold, answer, terms.window);
  // Whoever has taken over may have answered, or failed and freed the id.
  return settled ? { kind: 'answered', answer } : await attempt(layer, id, run, terms, answer);
}

async function whileHeld(
  layer: Layer,
  id: string,
  hold: Hold,
  terms: Terms,
  run: (running: Running) => unknown,
): Promise<unknown> {
  const lost = new AbortController();
  const renewing = setInterval(() => {
    // While the layer is away nobody can take the id over either.
    layer.renew(id, hold, terms).then(
      (held) => held || lost.abort(new Error(`Another call has taken ${id} over: this one was silent for too long`)),
      () => undefined,
    );
  }, terms.lease / renewals);
  try {
    return await run({ fence: hold.fence, signal: lost.signal });
  } finally {
    clearInterval(renewing);
  }
}

/** @returns undefined when it takes longer */
async function within(ended: Promise<Ended>, until: number): Promise<Ended | undefined> {
  let late: NodeJS.Timeout | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    late = setTimeout(() => resolve(undefined), Math.max(0, until - performance.now()));
  });
  try {
    return await Promise.race([ended, timeout]);
  } finally {
    clearTimeout(late);
  }
}
