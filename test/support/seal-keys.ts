import { KeyRing } from '../../activities/seal/key-ring.ts';
import { Seals } from '../../activities/seal/seals.ts';

/** A key that is always the same, in base64. */
export const keyOf = (letter: string): string => Buffer.alloc(32, letter).toString('base64');

/** What the processes of every world seal with. */
export const sealKeys = `test:${keyOf('t')}`;

/** Seals and opens as those processes do. */
export const testSeals = new Seals(KeyRing.read(sealKeys));
