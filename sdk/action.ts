import { type ActionState, type EndState, isEnd } from './action-state.ts';
import type { ActionOptions } from './action-options.ts';
import { type ActionRecord, inDoubt, RecordPlace, remembered } from './action-record.ts';
import type { ActionStore } from './action-store.ts';
import type { Api } from './api.ts';
import { begun, type Course, takenUp } from './course.ts';
import type { AnyFlow, DeclaredFlow, InputOf, ResultOf, StepOf } from './declared-flow.ts';
import { drive, patiently } from './drive.ts';
import { EarlierActionOpen } from './earlier-action-open.ts';
import { fingerprint } from './fingerprint.ts';
import { mayHaveEffect } from './may-have-effect.ts';
import type { Source } from './follow.ts';
import { asLeader } from './leader.ts';
import { opening } from './opening.ts';
import { ShownState } from './shown-state.ts';
import type { Surroundings } from './surroundings.ts';

type Parts = {
  readonly api: Api;
  readonly source: Source;
  readonly store: ActionStore;
  readonly surroundings: Surroundings;
  /** Where its record stands in the store. */
  readonly place: string;
};

/** How long a tab without Web Locks waits to see whether another one has stored its key meanwhile. Milliseconds. */
const settling = 30;

/**
 * One button of a page, or one task of a job: what it asks for happens once, whatever is clicked, refreshed or lost. Each
 * new input has one key, which is stored before the first request and kept until the outcome was seen.
 */
export class Action<F extends DeclaredFlow = AnyFlow> {
  readonly #options: ActionOptions<F>;
  readonly #parts: Parts;
  readonly #place: RecordPlace;
  readonly #shown = new ShownState();
  #stopping = new AbortController();
  #record: ActionRecord | undefined;
  /** What is under way here, and of which input, once that is known. */
  #running:
    | { readonly end: Promise<EndState>; readonly signal: AbortSignal; print: Promise<string | undefined> }
    | undefined;

  constructor(options: ActionOptions<F>, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
    this.#place = new RecordPlace(parts.store, parts.place);
  }

  /** It is another object after each change, and only then. */
  get state(): ActionState<ResultOf<F>, StepOf<F>> {
    return this.#shown.now as ActionState<ResultOf<F>, StepOf<F>>;
  }

  /** Calls the listener after each change of the state. @returns what ends that */
  readonly subscribe = (listener: () => void): (() => void) => {
    return this.#shown.listen(listener);
  };

  /**
   * Does it, or goes on with it: a second click joins the first, and "try again" keeps the key.
   * @returns where it stopped
   * @throws EarlierActionOpen where an earlier submit with other input may still have its effect
   */
  async submit(given: InputOf<F>): Promise<EndState<ResultOf<F>, StepOf<F>>> {
    const input = copied(given);
    const print = this.#fingerprint(input);
    const began = this.#parts.surroundings.now();
    if (this.#running?.signal.aborted === true) await this.#running.end.catch(() => undefined);
    if (this.#running !== undefined) {
      const { end } = this.#running;
      const other = await this.#running.print;
      if (other === print) return (await end) as EndState<ResultOf<F>, StepOf<F>>;
      if (other !== undefined) throw new EarlierActionOpen(this.#record?.key ?? '');
      // An earlier page has left nothing.
      await end.catch(() => undefined);
      return await this.submit(given);
    }
    const again = isEnd(this.#shown.now) && this.#shown.now.status !== 'idle' ? this.#shown.now.key : undefined;
    const key = this.#parts.surroundings.newKey();
    this.#shown.show({ status: 'submitting', key, slow: false });
    const { promise: refusal, reject } = Promise.withResolvers<never>();
    const end = this.#run(Promise.resolve(print), async (signal) => {
      const record = await this.#place.read();
      const found = opening(record, print, began, this.#parts.surroundings.now());
      if (found.is === 'same') {
        // This person has seen it stop and wants it sent. Otherwise the retries of the page before count.
        const ifMissing = again === found.record.key ? 'send' : 'retry';
        return {
          record: found.record,
          course: takenUp(found.record.key, found.record.retries, ifMissing, inDoubt(found.record)),
          input,
        };
      }
      if (found.is === 'other') {
        const may = await mayHaveEffect(found.record, { ...this.#parts, flow: this.#options.flow, signal });
        // A submit that was stopped meanwhile begins nothing.
        if (may || signal.aborted) {
          if (!signal.aborted) reject(new EarlierActionOpen(found.record.key));
          return { record: found.record, course: takenUp(found.record.key, found.record.retries, 'stop') };
        }
      }
      const first = { key, fingerprint: print, retries: 0, sent: this.#parts.surroundings.now() };
      return { ...(await this.#first(first, signal)), input };
    });
    return (await Promise.race([end, refusal])) as EndState<ResultOf<F>, StepOf<F>>;
  }

  /**
   * Goes on with what an earlier page has left, or shows how it ended. Call it when a page has loaded.
   * @param input the same as then, where the page still has it: what never reached the server is then sent
   */
  async resume(given?: InputOf<F>): Promise<EndState<ResultOf<F>, StepOf<F>>> {
    const input = given === undefined ? undefined : copied(given);
    if (this.#running?.signal.aborted === true) await this.#running.end.catch(() => undefined);
    if (this.#running !== undefined) return (await this.#running.end) as EndState<ResultOf<F>, StepOf<F>>;
    const { promise: print, resolve } = Promise.withResolvers<string | undefined>();
    const end = this.#run(print, async () => {
      const record = await this.#place.read();
      if (record === undefined || record.seen === true) return undefined;
      resolve(record.fingerprint);
      const same = input !== undefined && this.#fingerprint(input) === record.fingerprint;
      const course = takenUp(record.key, record.retries, same ? 'retry' : 'stop', inDoubt(record));
      return same ? { record, course, input } : { record, course };
    }).finally(() => resolve(undefined));
    await this.#showStored();
    return (await end) as EndState<ResultOf<F>, StepOf<F>>;
  }

  /** The person has seen how it ended, so the next submit is a new action. An outcome that is not known yet stays. */
  async seen(): Promise<void> {
    const state = this.#shown.now;
    const final =
      state.status === 'done' || state.status === 'refused' || (state.status === 'failed' && !state.retryable);
    if (!final || this.#record === undefined) return;
    this.#record = { ...this.#record, over: this.#parts.surroundings.now(), seen: true };
    await this.#place.writeOwn(this.#record);
    this.#shown.show({ status: 'idle' });
  }

  /** Stops asking, such as when the page is left. What the server has goes on, and the key is kept. */
  stop(): void {
    this.#stopping.abort();
    this.#stopping = new AbortController();
  }

  /** @param open gives what to go on with, once this is the only tab that acts */
  #run(print: Promise<string | undefined>, open: Opening): Promise<EndState> {
    const { signal } = this.#stopping;
    const { surroundings } = this.#parts;
    const { promise: leading, resolve: lead } = Promise.withResolvers<void>();
    const acting = asLeader(surroundings.locks, this.#place.name, signal, async () => {
      lead();
      const opened = await open(signal);
      if (opened === undefined) return;
      this.#record = opened.record;
      if (this.#running !== undefined) this.#running.print = Promise.resolve(opened.record.fingerprint);
      await drive(opened.course, {
        ...{ ...this.#parts, ...this.#options, signal, input: opened.input },
        operation: () => this.#record?.operation,
        sent: () => this.#record?.sent,
        change: (course) => this.#keep(course),
      });
    });
    const end = Promise.all([acting, patiently(leading, () => this.#otherTab(), { surroundings, signal })])
      .catch((error: unknown) => {
        if (signal.aborted) return;
        this.#shown.show({ status: 'idle' });
        throw error;
      })
      .then(() => this.#ended())
      .finally(() => {
        lead();
        this.#running = undefined;
      });
    this.#running = { end, signal, print };
    return end;
  }

  /** A new action. Its record stands before anything is sent. */
  async #first(record: ActionRecord, signal: AbortSignal): Promise<Opened> {
    await this.#place.write(record);
    const { locks, sleep } = this.#parts.surroundings;
    if (locks === undefined && this.#options.harmless !== true) {
      await sleep(settling, signal);
      const stored = await this.#place.read();
      if (stored?.fingerprint === record.fingerprint && stored.key !== record.key)
        return { record: stored, course: takenUp(stored.key, stored.retries, 'retry') };
    }
    return { record, course: begun(record.key) };
  }

  /** Stores what a course has to remember, then shows its state. */
  async #keep(course: Course): Promise<void> {
    const before = this.#record;
    if (before === undefined) return;
    this.#record = remembered(before, course, this.#parts.surroundings.now());
    const { locks } = this.#parts.surroundings;
    const leavesAnew = before.sent === undefined && this.#record.sent !== undefined;
    if (this.#record !== before)
      await this.#place.writeOwn(this.#record, locks !== undefined).catch((error: unknown) => {
        // The key is stored already, so this page still counts, unless a refresh would take what is about to leave for answered.
        if (leavesAnew) throw error;
      });
    this.#shown.show(course.state);
  }

  /** While another tab acts, this one shows that something is under way, and locks its button. */
  async #showStored(): Promise<void> {
    const record = await this.#place.read().catch(() => undefined);
    if (
      record === undefined ||
      record.seen === true ||
      this.#shown.now.status !== 'idle' ||
      this.#running === undefined
    )
      return;
    this.#shown.show({ status: 'confirming', key: record.key, slow: false });
  }

  /** Another tab acts on the same, so that this one waits for it. */
  async #otherTab(): Promise<void> {
    if (this.#shown.now.status === 'submitting') this.#shown.show({ ...this.#shown.now, slow: true });
  }

  /** An action that was stopped here goes on without us. */
  #ended(): EndState {
    if (!isEnd(this.#shown.now)) {
      const { key } = this.#shown.now;
      this.#shown.show({ status: 'unknown', key, operation: this.#record?.operation, reconciling: false });
    }
    return this.#shown.now as EndState;
  }

  #fingerprint(given: Input): string {
    const { intent = Object.keys(given), secret = [] } = this.#options;
    const kept = intent.filter((name) => !(secret as readonly string[]).includes(name));
    return fingerprint(Object.fromEntries(kept.map((name) => [name, given[name]])));
  }
}

type Input = Readonly<Record<string, unknown>>;

/** What is sent is what was given, whatever the page does with it afterwards. A flow's request is always an object. */
const copied = (given: unknown): Input => JSON.parse(JSON.stringify(given)) as Input;

type Opened = { readonly record: ActionRecord; readonly course: Course; readonly input?: Input };
type Opening = (signal: AbortSignal) => Promise<Opened | undefined>;
