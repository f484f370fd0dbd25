import { type Logger, pino } from 'pino';
import type { Config } from './config.ts';

/** Never in a log, wherever it stands: secrets, card data, and what a caller tells us of a person. */
const secrets = [
  'authorization',
  'cookie',
  'token',
  'password',
  'secret',
  'client_secret',
  'card',
  'number',
  'cvc',
  'email',
];

/** Redacts by name at three depths, and what looks like a card number or a bearer token in any text. */
export function createLogger(
  name: string,
  level: Config['HAPAX_LOG_LEVEL'],
  destination?: { write(line: string): void },
): Logger {
  const paths = secrets.flatMap((secret) => [secret, `*.${secret}`, `*.*.${secret}`, `*.*.*.${secret}`]);
  const options = {
    name,
    level,
    redact: { paths, censor: '[redacted]' },
    hooks: { streamWrite: scrub },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

const cardLike = /\b(?:\d[ -]?){12,18}\d\b/g;
const bearer = /\b(bearer|sk_(?:live|test)_|rk_(?:live|test)_)\s*[A-Za-z0-9._~+/=-]+/gi;

/** The last net: texts of errors may quote what a provider or a caller has sent. */
function scrub(line: string): string {
  return line.replace(bearer, '$1[redacted]').replace(cardLike, (digits) => (isTime(digits) ? digits : '[redacted]'));
}

/** pino writes the time as 13 digits of milliseconds. */
function isTime(digits: string): boolean {
  return /^1[6-9]\d{11}$/.test(digits);
}
