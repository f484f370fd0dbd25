import { domainToASCII } from 'node:url';
import { Refused } from '../stores/outcomes/refused.ts';
import type { Mailbox } from './mail-sender.ts';

/** RFC 5321 (4.5.3.1): octets before the `@`, and of a whole address between its angle brackets. */
const longestLocal = 64;
const longestAddress = 254;
/** Far longer than names are. Characters. */
const longestName = 100;

/** RFC 5322 (3.2.3), and beyond ASCII what RFC 6531 adds: no quoted names, which hardly anybody has and many systems misread. */
const local = /^[\w!#$%&'*+/=?^`{|}~\u0080-\u{10ffff}-]+(?:\.[\w!#$%&'*+/=?^`{|}~\u0080-\u{10ffff}-]+)*$/u;
/** As it is given. What else stands there `domainToASCII` may read as the end of the domain, or decode. */
const givenDomain = /^[\p{L}\p{M}\p{Nd}.-]+$/u;
const domain = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** Controls, line ends, spaces of other kinds, and characters that turn the direction of a text or are not seen at all. */
const unseen = /[\p{C}\p{Zl}\p{Zp}]/u;
/** Not seen either, but some scripts cannot be written without them. */
const joiners = /[\u200c\u200d]/g;
/** In a name they end it, quote it, or pretend that it is an address. */
const ofAddresses = /[@<>"\\,;:()[\]]/;

/**
 * A recipient that means one mailbox, whatever header or command it is put into. Its domain becomes ASCII.
 * @throws Refused `recipient-unsound`, with the reason
 */
export function soundMailbox({ address, name }: Mailbox): Mailbox {
  const at = address.lastIndexOf('@');
  const before = address.slice(0, at).normalize('NFC');
  const behind = address.slice(at + 1);
  const host = domainToASCII(behind);
  // Full-width letters and the like fold to ASCII: what they fold to must be sound, too.
  const folded = before.normalize('NFKC');
  if (at < 1 || unseen.test(address) || /\s/.test(address) || !local.test(before) || !local.test(folded))
    throw refused('The address is not one that mail can be sent to: correct it.');
  if (before.startsWith('-')) throw refused('The address begins with a hyphen, which programs take for an option.');
  if (!givenDomain.test(behind) || !domain.test(host) || /(?:^|\.)\d+$/.test(host))
    throw refused('The part of the address after the @ is no domain: correct it.');
  const sound = `${before}@${host}`;
  if (Buffer.byteLength(before) > longestLocal || Buffer.byteLength(sound) > longestAddress)
    throw refused(
      `The address is too long: mail takes ${longestLocal} bytes before the @ and ${longestAddress} in all.`,
    );
  return name === undefined ? { address: sound } : { address: sound, name: soundName(name) };
}

function soundName(name: string): string {
  const shown = name.normalize('NFC').trim();
  if (
    unseen.test(shown.replaceAll(joiners, '')) ||
    ofAddresses.test(shown) ||
    ofAddresses.test(shown.normalize('NFKC'))
  )
    throw refused('The name of the recipient holds characters that would be read as an address: take them out.');
  if (shown.length === 0 || shown.length > longestName)
    throw refused(`The name of the recipient is empty, or longer than ${longestName} characters.`);
  return shown;
}

function refused(detail: string): Refused {
  return new Refused({ code: 'recipient-unsound', detail });
}
