import { readFileSync } from 'node:fs';
import { KeyRing } from '../activities/seal/key-ring.ts';
import { Seals } from '../activities/seal/seals.ts';
import { type Config, ConfigFault } from './config.ts';

export const sealSettings = ['HAPAX_SEAL_KEYS', 'HAPAX_SEAL_KEYS_KEPT_IN'] as const;

const noKeys = `HAPAX_SEAL_KEYS is not set: e-mail addresses are stored sealed, so give the same keys to the HTTP API, to the operations
  workers and to the mail process, and keep a copy where backups do not lie. Make a key with: echo "k1:$(openssl rand -base64 32)"`;

type SealConfig = Pick<Config, (typeof sealSettings)[number]>;

/**
 * For a process that seals or opens sensitive fields.
 * @throws ConfigFault when there are no keys
 */
export function readSeals(config: SealConfig): Seals {
  return new Seals(readSealKeys(config));
}

/** @throws ConfigFault when there are none */
export function readSealKeys(config: SealConfig): KeyRing {
  const { HAPAX_SEAL_KEYS: given, HAPAX_SEAL_KEYS_KEPT_IN: keptIn } = config;
  if (given !== undefined) return given;
  if (keptIn === undefined) throw new ConfigFault(`Cannot start:\n  ${noKeys}`);
  try {
    return KeyRing.read(readFileSync(keptIn, 'utf8'));
  } catch (error) {
    throw new ConfigFault(`Cannot start:\n  The seal keys in ${keptIn} cannot be used: ${(error as Error).message}`);
  }
}
