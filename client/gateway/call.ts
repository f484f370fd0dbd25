import type { z } from 'zod';
import type { AnyFlow } from '../../workflows/operation/flow.ts';
import type { Environment } from '../../workflows/operation/key.ts';

/** The kind of a client, in words of a short list. */
export type ClientClass = { readonly browser: string; readonly device: string; readonly network: string };

export const unknownClient: ClientClass = { browser: 'unknown', device: 'unknown', network: 'unknown' };

/** One request for an operation, from an identified caller. */
export type Call<F extends AnyFlow = AnyFlow> = {
  readonly tenant: string;
  readonly environment: Environment;
  readonly subject: string;
  /** 1–255 printable ASCII characters, made before the first attempt and reused for every retry. */
  readonly key: string;
  /**
   * As the caller sent it. A field that is left out is not part of the intent, even when the schema has a default for
   * it.
   */
  readonly request: z.input<F['request']>;
  readonly requestId?: string;
  readonly userAgent?: string | undefined;
  /** By default nothing is known of it. */
  readonly client?: ClientClass | undefined;
  /** Called before a new operation is claimed. An existing operation is joined or replayed whatever this returns. */
  readonly admit?: () => Promise<boolean>;
};

/** An invalid call: the caller's bug, found before anything was accepted. */
export class CallRefused extends Error {
  override readonly name = 'CallRefused';
  readonly code: 'key-malformed' | 'request-invalid';
  constructor(code: CallRefused['code'], message: string) {
    super(message);
    this.code = code;
  }
}

const soundKey = /^[\x20-\x7e]{1,255}$/;
/** The id is sent in a header. */
const soundRequestId = /^[\x21-\x7e]{1,200}$/;
/** PostgreSQL stores no NUL, and no name needs a control character. */
const soundName = /^[^\p{Cc}\p{Cs}]{1,200}$/u;

/**
 * Checks a call as the HTTP API checks a request: types do not exist at run time, and what is stored under a key stays.
 * @throws CallRefused
 */
export function sound<F extends AnyFlow>(flow: F, call: Call<F>): Call<F> {
  if (!soundKey.test(call.key))
    throw new CallRefused('key-malformed', 'A key is 1 to 255 printable ASCII characters, such as a random UUID.');
  for (const name of ['tenant', 'subject'] as const)
    if (!soundName.test(call[name]))
      throw new CallRefused('request-invalid', `Field ${name}: give 1 to 200 characters without control characters`);
  if (call.requestId !== undefined && !soundRequestId.test(call.requestId))
    throw new CallRefused(
      'request-invalid',
      'Field requestId: give 1 to 200 printable ASCII characters without spaces',
    );
  const [issue] = flow.request.safeParse(call.request).error?.issues ?? [];
  if (issue !== undefined)
    throw new CallRefused('request-invalid', `Field ${issue.path.join('.') || 'request'}: ${issue.message}`);
  return call;
}
