import { type Logger, pino } from 'pino';
import type { Config } from './config.ts';

/** Never logged, wherever they appear: secrets, card data, and what a caller tells us about a person. */
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

/** Redacts members by name, and in any text what looks like a secret or a card number. */
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

/** Members that hold a secret, however they are spelled and however deep they are nested. */
const secretMember =
  /"([\w-]*(?:authorization|cookie|password|secret|cvc|api_?key|access_?key)[\w-]*)":"(?:[^"\\]|\\.)*"/gi;
/**
 * Secrets that are known by their form: those of HTTP, our API keys and tokens, links of sign-ups, JWTs, those of Stripe and of presigned URLs, and
 * passwords in the address of a database.
 */
const secretText =
  /\b(bearer |hpx_(?:live|test)_[0-9a-f]{12}_|hp[ae]_|[?&]token=|eyJ(?=[\w-]+\.[\w-]+\.)|[sr]k_(?:live|test)_|whsec_|pi_[A-Za-z0-9]+_secret_|X-Amz-(?:Signature|Credential|Security-Token)=)\s*[\w.~+/=%-]+/gi;
const password = /(:\/\/[^:/@\s"]*:)[^@/\s"]+@/g;
const cardLike = /\b(?:\d[ -]?){12,18}\d\b/g;
/** A member whose whole value is a number. It is replaced by a string, so that the line stays JSON. */
const cardMember = /(?<!\\)":-?(\d{13,19})(?=[,}\]])/g;

/** The last safeguard: the text of an error may quote what a provider or a caller has sent. */
function scrub(line: string): string {
  return line
    .replace(secretMember, '"$1":"[redacted]"')
    .replace(secretText, '$1[redacted]')
    .replace(password, '$1[redacted]@')
    .replace(cardMember, (member, digits: string) => (isTime(digits) ? member : '":"[redacted]"'))
    .replace(cardLike, (digits) => (isTime(digits) ? digits : '[redacted]'));
}

/** pino writes the time as 13 digits of milliseconds. */
function isTime(digits: string): boolean {
  return /^1[6-9]\d{11}$/.test(digits);
}
