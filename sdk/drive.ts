import { seconds } from '../workflows/operation/duration.ts';
import { type ActionState, isEnd } from './action-state.ts';
import type { Api } from './api.ts';
import { advance, type Course, type CourseEvent } from './course.ts';
import type { Source } from './follow.ts';
import type { Surroundings } from './surroundings.ts';

/** Silence that makes people doubt the page. The words change then. Milliseconds. */
const silence = seconds(3);

type Drive = {
  readonly api: Api;
  readonly source: Source;
  readonly surroundings: Surroundings;
  readonly signal: AbortSignal;
  readonly flow: string;
  readonly route: string;
  /** Undefined where a refresh has lost it: then nothing is sent. */
  readonly input: Readonly<Record<string, unknown>> | undefined;
  /** The operation, once the server has named it. */
  readonly operation: () => string | undefined;
  /** When the newest request left. Milliseconds since 1970. */
  readonly sent: () => number | undefined;
  /** Called with each new course, before it is acted on: what it counts has to be kept by then. */
  readonly change: (course: Course) => Promise<void>;
};

/** Does what each state asks for, until the action stops by itself or is aborted. */
export async function drive(begin: Course, drive: Drive): Promise<void> {
  const { surroundings, signal, change } = drive;
  let course = begin;
  const meet = async (event: CourseEvent): Promise<void> => {
    const after = advance(course, event, {
      now: surroundings.now(),
      random: surroundings.random(),
      sent: drive.sent(),
    });
    if (after === course || signal.aborted) return;
    course = after;
    await change(course);
  };
  await change(course);
  while (!signal.aborted) {
    const { state } = course;
    if (isEnd(state)) return;
    if (state.status === 'retrying') {
      await surroundings.sleep(state.at - surroundings.now(), signal);
      await meet({ type: 'pauseOver' });
    } else if (state.status === 'submitting' || state.status === 'confirming') {
      await meet(await patiently(ask(state, drive), () => meet({ type: 'slow' }), drive));
    } else {
      await followed(state, drive, meet, () => isEnd(course.state));
    }
  }
}

type Asking = Extract<ActionState, { status: 'submitting' | 'confirming' }>;

async function ask(
  { status, key }: Asking,
  { api, flow, route, input, operation, signal }: Drive,
): Promise<CourseEvent> {
  if (status === 'submitting' && input !== undefined) return await api.send(route, key, input, signal);
  const known = operation();
  return known === undefined ? await api.lookByKey(flow, key, signal) : await api.look(known, 0, signal);
}

/** Says once that it takes longer. */
export async function patiently<T>(
  asked: Promise<T>,
  slow: () => Promise<void>,
  { surroundings, signal }: Pick<Drive, 'surroundings' | 'signal'>,
): Promise<T> {
  const answered = new AbortController();
  const watch = surroundings.sleep(silence, AbortSignal.any([signal, answered.signal])).then(async () => {
    if (!answered.signal.aborted) await slow();
  });
  try {
    return await asked;
  } finally {
    answered.abort();
    await watch;
  }
}

async function followed(
  { operation }: { readonly operation: string },
  { source, signal }: Drive,
  meet: (event: CourseEvent) => Promise<void>,
  ended: () => boolean,
): Promise<void> {
  for await (const event of source(operation, signal)) {
    await meet(event);
    if (ended()) return;
  }
}
