import { z } from 'zod';
import { KeyRing } from '../activities/seal/key-ring.ts';
import { setting } from '../activities/outside/setting.ts';

/** Secret keys, as `id:key` entries. */
const keys = () =>
  z
    .string()
    .optional()
    .transform((text, context) => {
      try {
        return text === undefined ? undefined : KeyRing.read(text);
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message });
        return z.NEVER;
      }
    });

/** Settings that keep data secret; see docs/privacy.md. */
export const sealFields = {
  /** The first key seals the sensitive fields of requests, and all of them open. */
  HAPAX_SEAL_KEYS: keys(),
  /** The file of a key that our own containers have made, for a stack to which nobody gives one. */
  HAPAX_SEAL_KEYS_KEPT_IN: setting.optional(),
  /** The first key encrypts what Temporal keeps, and all of them decrypt. */
  HAPAX_PAYLOAD_KEYS: keys(),
  /** Off only decrypts. */
  HAPAX_PAYLOAD_CODEC: z.enum(['on', 'off'], { error: 'give on or off' }).default('off'),
  /** Where the codec server answers Temporal's UI, on the loopback. */
  HAPAX_CODEC_PORT: setting.port(8234),
  /** Addresses of Temporal's UI as a browser sees them, separated by commas. */
  HAPAX_CODEC_ORIGINS: z
    .string()
    .default('http://127.0.0.1:8233,http://localhost:8233')
    .transform((list) => list.split(',').map((origin) => origin.trim())),
} as const;
