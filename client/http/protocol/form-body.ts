import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { HttpProblem } from '../problems/http-problem.ts';
import { soundKey } from './idempotency-key.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the route takes an HTML form; `keyed` where it may not come without a key. */
    form?: 'keyed' | 'keyless';
  }
}

export const formType = 'application/x-www-form-urlencoded';

/** The field that says the same as the header: forms send no headers. */
const keyField = 'idempotency_key';

/** Whether a form can say all that a body says: it has texts, and nothing else. */
export function fitsForm(body: z.ZodObject): boolean {
  const { properties = {} } = z.toJSONSchema(body, { io: 'input', unrepresentable: 'any' });
  return Object.values(properties).every((field) => typeof field === 'object' && field.type === 'string');
}

/** Whether the key of a request may stand in its body, which is a form. */
export function mayBringKey({ headers, routeOptions }: FastifyRequest): boolean {
  const [type = ''] = (headers['content-type'] ?? '').split(';');
  return routeOptions.config.form !== undefined && type.trim().toLowerCase() === formType;
}

/**
 * Reads a form, and takes its key out of it. A field that a person has left empty counts as left out.
 * @throws HttpProblem where it cannot be read in one way only, or names two keys
 */
export function readForm(text: string, request: FastifyRequest): Readonly<Record<string, string>> {
  const fields = new Map<string, string>();
  for (const pair of text.split('&').filter((one) => one !== '')) {
    const [name = '', ...value] = pair.split('=').map(plain);
    if (fields.has(name)) throw new HttpProblem('body-malformed', `The form has the field ${shown(name)} twice.`);
    if (name === '__proto__') throw new HttpProblem('body-malformed', 'The form has a field __proto__.');
    fields.set(name, value.join('='));
  }
  const key = fields.get(keyField);
  fields.delete(keyField);
  request.idempotencyKey = oneKey(request, key);
  return Object.fromEntries([...fields].filter(([, value]) => value !== ''));
}

function oneKey({ idempotencyKey, routeOptions }: FastifyRequest, field: string | undefined): string {
  const key = field === undefined ? undefined : soundKey(field, `The field ${keyField}`);
  if (key !== undefined && idempotencyKey !== '' && key !== idempotencyKey)
    throw new HttpProblem(
      'key-malformed',
      `The header Idempotency-Key and the field ${keyField} differ: send one key, in either place.`,
      { header: 'Idempotency-Key' },
    );
  const one = key ?? idempotencyKey;
  if (one === '' && routeOptions.config.form === 'keyed')
    throw new HttpProblem(
      'key-missing',
      `Send a key that was made when the form was shown and is reused for every retry, such as a random UUID, as the field ${keyField} or the header Idempotency-Key.`,
      { header: 'Idempotency-Key' },
    );
  return one;
}

/** Strict, as JSON is read: what is no UTF-8 would otherwise become another text. PostgreSQL stores no NUL. */
function plain(coded: string): string {
  let text: string;
  try {
    text = decodeURIComponent(coded.replaceAll('+', ' '));
  } catch {
    throw new HttpProblem('body-malformed', 'The form holds bytes that are not valid UTF-8.');
  }
  if (text.includes('\0')) throw new HttpProblem('body-malformed', 'A field of the form contains a NUL character.');
  return text;
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 100));
}
