import type { MailMessage } from '../delivery/declared-message.ts';
import { receipt } from './receipt.ts';

/** The mails that the product sends. A new one adds its line here. */
export const mailMessages: readonly MailMessage[] = [receipt];
