import { Refused } from '../stores/outcomes/refused.ts';
import type { Mailbox } from './mail-sender.ts';
import { soundMailbox } from './sound-mailbox.ts';

/**
 * Reads `shop@example.com` or `The shop <shop@example.com>`.
 * @throws Error that says what is wrong
 */
export function readMailbox(text: string): Mailbox {
  const [, name, address = text] = /^\s*"?([^"<]*?)"?\s*<([^<>]*)>\s*$/.exec(text) ?? [];
  try {
    return soundMailbox({ address: address.trim(), ...(name === undefined || name === '' ? {} : { name }) });
  } catch (error) {
    if (error instanceof Refused) throw new Error(error.refusal.detail, { cause: error });
    throw error;
  }
}
