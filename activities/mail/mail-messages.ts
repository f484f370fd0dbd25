import type { MailMessage } from '../delivery/declared-message.ts';
import { addressTaken } from './address-taken.ts';
import { receipt } from './receipt.ts';
import { welcome } from './welcome.ts';

/**
 * The mails that the product sends. A new one adds its line here.
 * @param publicUrl the address of the HTTP API as people reach it, without a slash at its end
 */
export function mailMessages(publicUrl: string): readonly MailMessage[] {
  return [receipt, welcome(publicUrl), addressTaken];
}
