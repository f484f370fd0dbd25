import { z } from 'zod';
import { setting } from '../activities/outside/setting.ts';
import { natsAddress, readNatsAddress } from '../activities/stores/nats/nats-address.ts';

/** By what events leave; see docs/messages.md. Without a broker they are read from PostgreSQL. */
export const brokerFields = {
  NATS_URL: z
    .string()
    .refine((text) => readNatsAddress(text) !== undefined, `give the ${natsAddress}`)
    .optional(),
  /** The content of a credentials file of NATS; usually given as NATS_CREDENTIALS_FILE. */
  NATS_CREDENTIALS: setting.optional(),
  /** Where the local broker listens. */
  HAPAX_NATS_PORT: setting.port(4222),
} as const;
