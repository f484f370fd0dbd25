import { z } from 'zod';
import { days } from '../../workflows/operation/duration.ts';
import { signupFlow } from '../../workflows/signup.flow.ts';
import { declareMessage, type MailMessage } from '../delivery/declared-message.ts';

const payload = z.object({ email: z.string(), account: z.enum(['unverified', 'active', 'erased']) });

/** Tells the owner of an address that somebody has signed up with it once more: nobody else may know that it has an account. */
export const addressTaken: MailMessage = declareMessage({
  type: 'signup.taken',
  repeats: 'at_least_once',
  patience: days(1),
  sealed: { flow: signupFlow.name, fields: ['email'] },
  payload,
  write({ email, account }) {
    const lines = account === 'unverified' ? waiting : active;
    return {
      to: { address: email },
      subject: 'You have signed up before',
      text: `${lines.join('\n\n')}\n`,
      html: page(lines),
    };
  },
});

const asked = 'Somebody has signed up with this address again.';

const active = [
  asked,
  'It has an account already, and nothing has changed. If it was you, sign in with the password that you have.',
  'If it was not you, you need not do anything.',
];

const waiting = [
  asked,
  'An earlier sign-up still waits until the address is confirmed, and nothing has changed. If it was yours, use the link in our earlier mail.',
  'If the earlier one was not yours, do not confirm it. Three days after it the address is free, and you can sign up.',
];

function page(lines: readonly string[]): string {
  const paragraphs = lines.map((line) => `<p>${line}</p>`).join('');
  return (
    '<!doctype html><html lang="en"><meta charset="utf-8"><body style="font-family:sans-serif">' +
    `${paragraphs}</body></html>`
  );
}
