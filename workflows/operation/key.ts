import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import canonicalize from 'canonicalize';

/**
 * Every name in the system is derived here, from the operation's scope, the step and its epoch. Nothing is random:
 * a restore, a re-run or a reset arrives at the same names, and so at the same effects.
 */

export type Environment = 'live' | 'test';

/** The scope in which an idempotency key is unique. `subject` is empty if a flow shares its keys over the tenant. */
export type Scope = {
  readonly tenant: string;
  readonly environment: Environment;
  readonly subject: string;
  readonly flow: string;
  readonly key: string;
};

/** Crockford's alphabet in lower case: no letter that looks like a digit, and safe in URLs and file names. */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

/** 26 characters of 5 bits: 130 of the digest's 256 bits, so that no two names meet by chance. */
const idLength = 26;

function digest(parts: readonly (string | number)[]): string {
  // A JSON array is unambiguous, whatever its strings contain.
  const bytes = sha256(utf8ToBytes(JSON.stringify(parts)));
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5 && text.length < idLength) {
      bits -= 5;
      text += alphabet[(value >>> bits) & 31];
    }
    value &= (1 << bits) - 1;
  }
  return text;
}

/** `op_` and 26 characters; the same scope and generation always give the same id. */
export function operationId(scope: Scope, generation: number): string {
  return `op_${digest([scope.tenant, scope.environment, scope.subject, scope.flow, scope.key, generation])}`;
}

/** The id of something that an operation makes once, such as its order: `ord_` and the operation's own digest. */
export function ownedId(prefix: string, operation: string): string {
  return `${prefix}_${operation.slice('op_'.length)}`;
}

/** Temporal refuses ids that are longer than this many bytes (its default `limit.maxIDLength` is 1,000; 255 stays readable). */
const workflowIdLength = 255;

/**
 * `{flow}/{tenant}/{environment}/{subject}/{key}[~generation]`, percent-encoded, so that a person finds an operation
 * in Temporal's UI. The subject is left out if keys are shared by the tenant. A long key is replaced by its digest. A
 * tilde in a key is encoded as well: `x~2` is not the second generation of `x`.
 */
export function workflowId(scope: Scope, generation: number): string {
  const place = [scope.flow, scope.tenant, scope.environment, ...(scope.subject === '' ? [] : [scope.subject])];
  const prefix = place.map(encodeURIComponent).join('/');
  const suffix = generation === 1 ? '' : `~${generation}`;
  const readable = `${prefix}/${encodeURIComponent(scope.key).replaceAll('~', '%7E')}${suffix}`;
  if (readable.length <= workflowIdLength) return readable;
  return `${scope.flow}/${operationId(scope, generation)}`;
}

/** The key that an outside system gets. A retry carries the same one, and only a new epoch makes another effect. */
export function stepKey(operation: string, step: string, epoch: number): string {
  return `${operation}:${step}:${epoch}`;
}

export function undoKey(operation: string, step: string, undoEpoch: number): string {
  return `${operation}:${step}:undo:${undoEpoch}`;
}

/** The id of the bytes that one body of an upload brings, by the offset of the first: a retry has the same one. */
export function chunkId(upload: string, offset: number): string {
  return `${upload}.${offset}`;
}

/** The key of a derivation, which no caller makes: one for each failure of a derivative, whoever asks. */
export function derivationKey(content: string, derivative: string, failedAt: string): string {
  return `${content}.${derivative}.${Date.parse(failedAt)}`;
}

/** The id of an event that another system has told us: one for each id of the sender's. */
export function eventId(
  source: Pick<Scope, 'tenant' | 'environment'> & { readonly source: string },
  event: string,
): string {
  return `evt_${digest([source.tenant, source.environment, source.source, event])}`;
}

/** The id of what one handler does about an event, and of its dead letter. */
export function handlingId(event: string, handler: string): string {
  return `dl_${digest([event, handler])}`;
}

/** The id of a message that an operation leaves: one for each thing that it says, on whichever channel and however often it is sent. */
export function messageId(operation: string, says: string): string {
  return `msg_${digest([operation, says])}`;
}

/** The key of the mail that the page of an expired link asks for: one for each link. The token itself stands in no key. */
export function linkKey(token: string): string {
  return `link.${digest([token])}`;
}

/** The id of an endpoint for webhooks: one for each key of those who create some. */
export function endpointId(creator: Pick<Scope, 'tenant' | 'environment' | 'subject' | 'key'>): string {
  const { tenant, environment, subject, key } = creator;
  return `we_${digest([tenant, environment, subject, key])}`;
}

/** The id of an endpoint's secret: the first one, or that of a rotation, by the key with which somebody asked for it. */
export function secretId(endpoint: string, rotation?: Pick<Scope, 'subject' | 'key'>): string {
  return `ws_${digest([endpoint, ...(rotation === undefined ? [] : [rotation.subject, rotation.key])])}`;
}

/** By what a message is known to one consumer. Two consumers of it are two names, and so are two sources that use one id. */
type MessageName = Pick<Scope, 'tenant' | 'environment'> & {
  readonly consumer: string;
  readonly source: string;
  readonly message: string;
};

/** The id of the dead letter that a message becomes where its consumer cannot use it. */
export function consumedId({ tenant, environment, consumer, source, message }: MessageName): string {
  return `dl_${digest([tenant, environment, consumer, source, message])}`;
}

/** The subject of operations that an event begins: its sender. */
export function sourceSubject(source: string): string {
  return `source.${source}`;
}

/**
 * The key of a request that came without one, by the digest of its content and the time of its first arrival: each
 * window of a content has a key of its own.
 * @param anchoredAt milliseconds since 1970, by PostgreSQL's clock
 */
export function anchoredKey(digest: string, anchoredAt: number): string {
  return `content.${digest}.${anchoredAt}`;
}

/**
 * An id for callers that have none: SHA-256 over the RFC 8785 form of what was asked, who asked, and the window. The
 * order of fields does not count. The same content with another window is another id.
 *
 * The id names no point in time, so there is no edge at which a duplicate becomes new. The window begins with the first
 * arrival, and the layer that keeps the answer ends it: give `once` the same window.
 * @param input a JSON value
 * @param identity what keeps callers apart, such as tenant and user
 * @param window milliseconds for which equal content counts as a duplicate
 * @throws TypeError when the input has no JSON form: all such inputs would look alike
 * @example await once(contentKey(order, user, minutes(10)), place, { layers, window: minutes(10) })
 */
export function contentKey(input: unknown, identity: string, window: number): string {
  const form = canonicalize(input);
  if (form === undefined) throw new TypeError('The input of a content key has no JSON form: give what was asked for');
  return `content.${bytesToHex(sha256(utf8ToBytes(`[${form},${JSON.stringify(identity)},${window}]`)))}`;
}

/** The id of a part that goes straight to the object store. */
export function partId(upload: string, number: number): string {
  return `${upload}.part-${number}`;
}
