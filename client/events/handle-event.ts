import type { Handled, Handling } from '../../activities/stores/postgres/inbox/due-handlings.ts';
import type { OperationRecord } from '../../activities/stores/postgres/ledger/read-operation.ts';
import { LedgerFault } from '../../activities/stores/postgres/ledger-fault.ts';
import { hours, seconds } from '../../workflows/operation/duration.ts';
import type { EventEnd, InboxEvent } from '../../workflows/operation/event.ts';
import type { AnyFlow } from '../../workflows/operation/flow.ts';
import { sourceSubject } from '../../workflows/operation/key.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';
import type { Gateway } from '../gateway.ts';
import { sound } from '../gateway/call.ts';
import type { EventHandler, EventHandlers } from './event-handlers.ts';
import { jsonOf } from './schemes/scheme.ts';

/** Pauses grow from a second to an hour. After a day a person has to look: a deploy mends a handler within hours. */
const tries = { firstPause: seconds(1), growth: 2, longestPause: hours(1), until: hours(24) } as const;

/** The longest reason that is kept. Characters. */
const longestDetail = 1_000;

type Told =
  | { readonly state: 'done'; readonly operation: string | null }
  | ({ readonly state: 'parked' | 'due' } & Why);
type Why = Pick<Refusal, 'detail'> & { readonly code: string };

/** Lets one handler act on one event. Repeatable, since the event's id is the key of whatever it begins. */
export async function handleEvent(
  parts: { readonly gateway: Gateway; readonly handlers: EventHandlers },
  handling: Handling,
): Promise<Handled> {
  const told = await tell(parts, handling).catch((error: unknown) => failed(error));
  if (told.state === 'done') return told;
  const { code, detail } = told;
  const said = detail.replaceAll('\0', '').slice(0, longestDetail);
  if (handling.dueFor >= tries.until) return { state: 'dead', code, detail: said };
  return { state: told.state, code, detail: said, pause: pauseAfter(handling.tries) };
}

async function tell(
  { gateway, handlers }: { readonly gateway: Gateway; readonly handlers: EventHandlers },
  { handler: name, event: row }: Handling,
): Promise<Told> {
  const handler = handlers.find(name);
  if (handler === undefined)
    return { state: 'due', code: 'handler-failed', detail: `This build has no handler ${name}: a newer one had it.` };
  const { body, requestId, ...known } = row;
  const event: InboxEvent = { ...known, data: jsonOf({ body }) };
  switch (handler.kind) {
    case 'begins':
      return await begin(gateway, handler, event, requestId);
    case 'ends':
      return await end(gateway, handler, event);
  }
}

async function begin(
  gateway: Gateway,
  { flow, on }: Extract<EventHandler, { kind: 'begins' }>,
  event: InboxEvent,
  requestId: string,
): Promise<Told> {
  const request = on.request(event);
  if (request === undefined) return { state: 'done', operation: null };
  const { tenant, environment, source, id: key } = event;
  const call = { tenant, environment, subject: sourceSubject(source), key, request, requestId, userAgent: source };
  const reply = await gateway.ask(flow, sound(flow, call), 0);
  switch (reply.kind) {
    case 'settled':
    case 'open':
    case 'asked-too-often':
    case 'key-expired':
    case 'erased':
      return { state: 'done', operation: reply.id };
    case 'key-reused':
      return { state: 'due', code: reply.kind, detail: `${reply.id} was begun by this event with another request.` };
    case 'overloaded':
    case 'not-admitted':
      return { state: 'due', code: 'overloaded', detail: 'There is more work than can be done in time.' };
    case 'not-taken': {
      const { code, detail } = reply.refusal;
      return { state: code === 'object-unknown' ? 'parked' : 'due', code, detail };
    }
  }
}

async function end(
  gateway: Gateway,
  { flow, step, on }: Extract<EventHandler, { kind: 'ends' }>,
  event: InboxEvent,
): Promise<Told> {
  const id = on.operation(event);
  if (id === undefined) return { state: 'done', operation: null };
  const record = await gateway.status(event.tenant, id);
  if (record?.environment !== event.environment || record.flow !== flow.name)
    return { state: 'parked', code: 'object-unknown', detail: `There is no ${flow.name} ${id} here.` };
  if (hasPassedBy(record, flow, step)) return { state: 'done', operation: id };
  const evidence = on.evidence(event);
  const known = agreement(record, flow, step, on, evidence);
  // It will be known in a moment. Until then anybody's event could end the wait.
  if (known === 'unknown' && on.agreesWith !== undefined && record.settledAt === null)
    return { state: 'parked', code: 'object-unknown', detail: `${id} has not made what this event is about yet.` };
  if (known === 'differs' || (known === 'agrees' && isOver(record, flow))) return { state: 'done', operation: id };
  const arrived = await gateway.arrive(flow, record, step as never, evidence as never);
  if (arrived.kind === 'missing')
    return { state: 'parked', code: 'object-unknown', detail: `${flow.name} ${id} is not there any more.` };
  return { state: 'done', operation: id };
}

/** Whether the event speaks of what the operation waits for, as far as that is known. */
function agreement(
  { steps }: OperationRecord,
  flow: AnyFlow,
  step: string,
  { agreesWith }: EventEnd,
  evidence: Readonly<Record<string, unknown>>,
): 'agrees' | 'differs' | 'unknown' {
  const said = steps.find(({ name }) => name === agreesWith)?.result as Readonly<Record<string, unknown>> | null;
  const { [step]: declared } = flow.steps;
  if (said === null || said === undefined || declared?.effect !== 'await') return 'unknown';
  return declared.same.some((field) => said[field] !== evidence[field]) ? 'differs' : 'agrees';
}

/**
 * Nobody waits any more. What was undone at the other system is told of, too, and says nothing new: only a flow's sweep would
 * look for it.
 */
function isOver({ settledAt, state }: OperationRecord, { sweepAfter }: AnyFlow): boolean {
  return sweepAfter === undefined && (settledAt !== null || state === 'compensating');
}

/** The operation did not need to wait: it went on without that step, or ended before it. */
function hasPassedBy({ steps, settledAt, state }: OperationRecord, flow: AnyFlow, step: string): boolean {
  if (steps.some(({ name }) => name === step)) return false;
  if (settledAt !== null || state === 'compensating') return true;
  const names = Object.keys(flow.steps);
  return steps.some(({ name }) => names.indexOf(name) > names.indexOf(step));
}

function failed(error: unknown): Told {
  if (error instanceof LedgerFault && error.code === 'unavailable')
    return { state: 'due', code: 'ledger-unavailable', detail: 'The ledger could not be reached.' };
  const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { state: 'due', code: 'handler-failed', detail: said };
}

/** With jitter of a quarter, so that what failed together does not come together. Milliseconds. */
function pauseAfter(tried: number): number {
  const pause = Math.min(tries.firstPause * tries.growth ** (tried - 1), tries.longestPause);
  return pause * (0.75 + Math.random() / 2);
}
