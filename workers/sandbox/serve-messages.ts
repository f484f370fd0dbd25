import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { type Answer, drop, readBody, reset, sendJson } from './answer.ts';
import { afterEffect, beforeEffect } from './boundary.ts';
import { beginCall, type Call, type Sandbox } from './call.ts';
import { newId } from './provider.ts';
import { now } from './settings.ts';

/** Where mail and text messages are sent to. `GET` of the path lists what was taken. */
export const MESSAGES_PATH = '/messages';

const mail = z.object({
  from: z.string().min(1),
  to: z.array(z.string().min(1)).length(1),
  subject: z.string(),
  text: z.string(),
  html: z.string(),
});
const sms = z.object({ to: z.string().min(1), text: z.string().min(1) });

/** Addresses and numbers that nobody has: `refused@…`, and the numbers from +1 500 555 0000 on. */
const unknownTo = /(^|<)refused@|^\+1500555/;

/** Stands for a provider of mail and one of text messages, both of which keep idempotency keys. */
export async function serveMessages(
  sandbox: Sandbox,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<void> {
  if (request.method === 'GET' && url.pathname === MESSAGES_PATH)
    return sendJson(response, 200, await sandbox.messages.list(url.searchParams));
  const text = await readBody(request);
  if (text === undefined) return drop(response);
  const call = beginCall(sandbox, request, response, url, text);
  if (call.fault?.fault === 'drop_before') return drop(response);
  if (call.fault?.fault === 'reset') return reset(response);
  const answer = await answerTo(sandbox, call);
  if (answer !== undefined) await afterEffect(sandbox, call, answer);
}

async function answerTo(sandbox: Sandbox, call: Call): Promise<Answer | undefined> {
  const { request, url, seen, fault, text } = call;
  const channel = url.pathname === `${MESSAGES_PATH}/mail` ? 'mail' : 'sms';
  if (request.method !== 'POST' || url.pathname !== `${MESSAGES_PATH}/${channel}`)
    return problem(404, 'There is no such address: send to /messages/mail or /messages/sms.');
  if (!/^Bearer \S+$/.test(request.headers.authorization ?? '')) return problem(401, 'Give a key.');
  if (fault?.fault === '429')
    return {
      ...problem(429, 'Too many.'),
      headers: fault.retryAfter === null ? {} : { 'retry-after': fault.retryAfter },
    };
  if (fault?.fault === '500_before') return problem(500, 'It went wrong before anything was taken.');
  if (seen.key === null) return problem(400, 'Give an Idempotency-Key.');
  const read = (channel === 'mail' ? mail : sms).safeParse(parsed(text));
  if (!read.success) return problem(400, z.prettifyError(read.error));
  if ([read.data.to].flat().some((to) => unknownTo.test(to))) return problem(422, 'Nobody has that address.');
  if (!(await beforeEffect(sandbox, call))) return undefined;
  const { settings } = sandbox.provider;
  const message = { channel, id: newId(channel), key: seen.key, body: read.data, text } as const;
  const taken = await sandbox.messages.take(message, now(settings), settings.keyWindowMs);
  if (taken.kind === 'other') return problem(409, 'This key was used for another message.');
  if (fault?.fault === '500_after') return problem(500, 'It went wrong after the message was taken.');
  seen.replayed = taken.kind === 'again';
  return { status: 200, body: JSON.stringify({ id: taken.id }), headers: {} };
}

function problem(status: number, message: string): Answer {
  return { status, body: JSON.stringify({ message }), headers: {} };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
