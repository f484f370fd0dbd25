import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, cut, drop, reset, send } from './answer.ts';
import type { Call, Sandbox } from './call.ts';
import { now } from './settings.ts';

/**
 * Waits as the plan says, before the effect of a request is applied.
 * @returns false when the effect must not be applied
 */
export async function beforeEffect(sandbox: Sandbox, call: Call): Promise<boolean> {
  const { fault, response } = call;
  if (fault?.fault === 'delay_before') await wait(sandbox, fault.delayMs);
  if (fault?.fault === 'hold_before') {
    const released = await hold(sandbox, call, 'before', fault.outlivesClient ? undefined : clientGone(response));
    if (!released) return false;
  }
  return !sandbox.closing.aborted;
}

/** Answers as the plan says, once the effect is on the disk: the client may get the answer or not. */
export async function afterEffect(sandbox: Sandbox, call: Call, answer: Answer): Promise<void> {
  const { response, seen, fault } = call;
  if (fault?.fault === 'delay_after') await wait(sandbox, fault.delayMs);
  if (fault?.fault === 'hold_after' && !(await hold(sandbox, call, 'after', clientGone(response)))) return;
  const half = answer.body.slice(0, Math.floor(answer.body.length / 2));
  seen.status = answer.status;
  switch (fault?.fault) {
    case 'drop_after':
      seen.status = null;
      return drop(response);
    case 'reset_after':
      seen.status = null;
      return reset(response);
    case 'cut':
      return cut(response, answer, half);
    case 'garble':
      return send(response, { ...answer, status: 200, body: half });
    case 'empty':
      return send(response, { ...answer, status: 200, body: '' });
    // These faults act before the effect, or in the answer itself.
    case 'drop_before':
    case 'reset':
    case 'delay_before':
    case 'hold_before':
    case 'delay_after':
    case 'hold_after':
    case '409':
    case '429':
    case '500_before':
    case '500_after':
    case undefined:
      return send(response, answer);
  }
}

function hold(
  { provider, holds }: Sandbox,
  { seen }: Call,
  boundary: 'before' | 'after',
  gone: Promise<void> | undefined,
): Promise<boolean> {
  const { method, path, key, operation, requestId } = seen;
  const since = new Date(now(provider.settings)).toISOString();
  return holds.wait({ method, path, key, operation, requestId, boundary, since }, gone);
}

function clientGone(response: ServerResponse): Promise<void> {
  if (response.destroyed || response.socket?.destroyed !== false) return Promise.resolve();
  return new Promise((resolve) => response.once('close', resolve));
}

function wait({ closing }: Sandbox, ms: number): Promise<void> {
  return sleep(ms, undefined, { signal: closing }).catch(() => undefined);
}
