import { z } from 'zod';

/** PostgreSQL cannot store half of a surrogate pair. A pattern for that would work in JavaScript only. */
export const isWellFormed = (text: string): boolean => text.isWellFormed();

/** Names that Windows keeps for devices, with any extension (Microsoft, "Naming Files, Paths, and Namespaces"). */
const device = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)/iu;

/** They turn the letters behind them around: `photo`, U+202E, `gpj.exe` reads as a picture (Unicode, UAX #9). */
const turning = /[\u202a-\u202e\u2066-\u2069]/u;

/** Nothing of it can be seen, or clicked. */
const invisible = /^[\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cf}.]*$/u;

/**
 * The name of a file, never a path: no separator, no control character (NUL among them), and nothing that an operating
 * system or a person cannot handle.
 */
export const fileName = z
  .string()
  .min(1)
  .max(255)
  // oxlint-disable-next-line no-control-regex -- these are refused; \x means the same to every tool that reads OpenAPI
  .regex(/^[^/\\\x00-\x1f\x7f-\x9f]+$/, 'give a file name without path separators or control characters')
  .refine(isWellFormed, 'holds half a surrogate pair')
  .refine((name) => name !== '.' && name !== '..', "a file cannot be named '.' or '..'")
  .refine((name) => !device.test(name), 'Windows keeps this name for a device: give another one')
  .refine(
    (name) => !turning.test(name),
    'leave out the characters that turn text around (U+202A to U+202E, U+2066 to U+2069)',
  )
  .refine((name) => !invisible.test(name), 'give a name of which something can be seen');
