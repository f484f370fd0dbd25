import { Refused } from '../stores/outcomes/refused.ts';
import { soundMailbox } from '../delivery/sound-mailbox.ts';

/**
 * The form of an address by which two are the same. Its domain is ASCII in lower case (UTS #46), as everywhere. What stands before
 * the `@` could be told apart by case (RFC 5321, 2.4), but no large mail provider does, and people do not mean it: so it is compared
 * in lower case, in form NFKC, and mail goes to it as it was written.
 * @throws Refused `recipient-unsound` where no mail can be sent to it
 */
export function comparableAddress(address: string): string {
  const { address: sound } = soundMailbox({ address });
  const at = sound.lastIndexOf('@');
  // Lower case may compose anew.
  const local = sound.slice(0, at).normalize('NFKC').toLowerCase().normalize('NFKC');
  return local + sound.slice(at);
}

/** @returns undefined where no mail can be sent to it */
export function comparableAddressOf(address: string): string | undefined {
  try {
    return comparableAddress(address);
  } catch (error) {
    if (error instanceof Refused) return undefined;
    throw error;
  }
}
