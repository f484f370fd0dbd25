import type { DataConverter, Payload, PayloadCodec } from '@temporalio/common';
import { decrypt, encrypt } from './cipher.ts';
import type { KeyRing } from './key-ring.ts';
import { SealFault } from './seals.ts';

const encoding = 'binary/encrypted';
/** Says what the bytes are. A payload has no place of its own: Temporal copies it from event to event. */
const about = Buffer.from('hapax temporal payload');
const noKeys: ReturnType<KeyRing['derive']> = [];

/**
 * Encrypts what Temporal keeps: inputs, results and summaries. Search attributes, ids and the messages of failures stay
 * readable, because Temporal works with them.
 */
export class EncryptedPayloads implements PayloadCodec {
  readonly #keys: ReturnType<KeyRing['derive']>;
  readonly #encrypts: boolean;

  /** @param encrypts false only decrypts, while encryption is being introduced or taken out of use */
  constructor(keys: KeyRing | undefined, encrypts: boolean) {
    this.#keys = keys?.derive('temporal payloads') ?? noKeys;
    this.#encrypts = encrypts;
  }

  readonly encode = async (payloads: Payload[]): Promise<Payload[]> => {
    const [key] = this.#keys;
    if (!this.#encrypts || key === undefined) return payloads;
    return payloads.map((payload) => ({
      metadata: { encoding: Buffer.from(encoding), 'encryption-key-id': Buffer.from(key.id) },
      data: encrypt(key.secret, Buffer.from(JSON.stringify(textOf(payload))), about),
    }));
  };

  /** @throws SealFault when a payload was encrypted with a key that this process does not have, or was changed */
  readonly decode = async (payloads: Payload[]): Promise<Payload[]> =>
    payloads.map((payload) => this.#decoded(payload));

  #decoded(payload: Payload): Payload {
    const { encoding: told, 'encryption-key-id': id } = payload.metadata ?? {};
    if (textIn(told) !== encoding || !payload.data) return payload;
    const name = textIn(id);
    const key = this.#keys.find((one) => one.id === name);
    if (key === undefined)
      throw new SealFault(
        `Temporal's payloads are encrypted with key ${name}, which this process does not have: add the key to HAPAX_PAYLOAD_KEYS.`,
      );
    try {
      return payloadOf(JSON.parse(decrypt(key.secret, payload.data, about).toString()) as PayloadText);
    } catch {
      throw new SealFault(`A payload of Temporal's was changed, or key ${name} is another one here.`);
    }
  }
}

/** A payload as text: bytes in base64. */
type PayloadText = { readonly metadata?: Readonly<Record<string, string>>; readonly data?: string };

export function textOf({ metadata, data }: Payload): PayloadText {
  const entries = Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)]);
  return { metadata: Object.fromEntries(entries), ...(data ? { data: base64(data) } : {}) };
}

export function payloadOf({ metadata, data }: PayloadText): Payload {
  const entries = Object.entries(metadata ?? {}).map(([name, value]) => [name, Buffer.from(value, 'base64')]);
  return {
    metadata: Object.fromEntries(entries),
    ...(data === undefined ? {} : { data: Buffer.from(data, 'base64') }),
  };
}

/** What a client or a worker of Temporal's is given. */
export function convertedBy(codec: PayloadCodec | undefined): { readonly dataConverter?: DataConverter } {
  return codec === undefined ? {} : { dataConverter: { payloadCodecs: [codec] } };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function textIn(bytes: Uint8Array | null | undefined): string {
  return bytes ? Buffer.from(bytes).toString() : '';
}
