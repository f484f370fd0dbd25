import { EncryptedPayloads } from '../activities/seal/payload-codec.ts';
import { type Config, ConfigFault } from './config.ts';

export const payloadSettings = ['HAPAX_PAYLOAD_CODEC', 'HAPAX_PAYLOAD_KEYS'] as const;

/**
 * Every process that speaks with Temporal has it: one without keys says clearly which one it lacks.
 * @throws ConfigFault when payloads are to be encrypted and there is no key
 */
export function readPayloadCodec(config: Pick<Config, (typeof payloadSettings)[number]>): EncryptedPayloads {
  const { HAPAX_PAYLOAD_CODEC: codec, HAPAX_PAYLOAD_KEYS: keys } = config;
  if (codec === 'on' && keys === undefined)
    throw new ConfigFault(
      'Cannot start:\n  HAPAX_PAYLOAD_KEYS is not set, and HAPAX_PAYLOAD_CODEC is on: give every process the keys that encrypt what ' +
        'Temporal keeps. Make one with: echo "p1:$(openssl rand -base64 32)"',
    );
  return new EncryptedPayloads(keys, codec === 'on');
}
