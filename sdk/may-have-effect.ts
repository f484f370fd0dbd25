import { isSettled } from '../workflows/operation/state.ts';
import type { ActionRecord } from './action-record.ts';
import type { Api } from './api.ts';
import { type CourseEvent, mayArrive } from './course.ts';
import type { Surroundings } from './surroundings.ts';

type Asked = {
  readonly api: Api;
  readonly surroundings: Surroundings;
  readonly flow: string;
  readonly signal: AbortSignal;
};

/** Asks the server whether an earlier request may still have its effect, or has had it. */
export async function mayHaveEffect({ operation, key, sent }: ActionRecord, asked: Asked): Promise<boolean> {
  const { api, surroundings, flow, signal } = asked;
  const event = operation === undefined ? await api.lookByKey(flow, key, signal) : await api.look(operation, 0, signal);
  return event.type === 'missing' ? mayArrive(sent, surroundings.now()) : tellsOfEffect(event);
}

/** Where a caller may never ask, such as a browser without a user, the server decides. */
function tellsOfEffect(event: CourseEvent): boolean {
  switch (event.type) {
    case 'shown': {
      const { state } = event.view;
      return state === 'succeeded' || state === 'compensation_incomplete' || !isSettled(state);
    }
    case 'withheld':
      return event.expired;
    case 'lost':
    case 'gone':
      return true;
    case 'missing':
    case 'answered':
    case 'pauseOver':
    case 'slow':
      return false;
  }
}
