import { z } from 'zod';
import { hours } from '../../workflows/operation/duration.ts';
import { signupFlow } from '../../workflows/signup.flow.ts';
import { declareMessage, type MailMessage } from '../delivery/declared-message.ts';
import { escapeHtml } from './escape-html.ts';

const payload = z.object({ email: z.string(), token: z.string() });

/**
 * The welcome of a sign-up, with the link that confirms its address. It names nobody: whoever signs up chooses the name, and would
 * write to others in our words.
 * @param publicUrl the address of the HTTP API as people reach it
 */
export function welcome(publicUrl: string): MailMessage {
  return declareMessage({
    type: 'signup.welcome',
    // A second copy has the same link. Without a first one there is no account.
    repeats: 'at_least_once',
    // Its link works for a day.
    patience: hours(24),
    sealed: { flow: signupFlow.name, fields: ['email', 'token'] },
    payload,
    write: ({ email, token }) => {
      const link = `${publicUrl}/v1/signups/verify?token=${token}`;
      return { to: { address: email }, subject: 'Confirm your address', text: plain(link), html: page(link) };
    },
  });
}

const asked = 'Somebody, probably you, has signed up with this address.';
const lives = 'The link works for 24 hours.';
const otherwise =
  'If it was not you, do not confirm it. There is no account then, and after three days the address is free again.';

function plain(link: string): string {
  return [
    asked,
    '',
    'To confirm that it is yours, open this page and press the button:',
    '',
    link,
    '',
    lives,
    otherwise,
    '',
  ].join('\n');
}

function page(link: string): string {
  const href = escapeHtml(link);
  return (
    '<!doctype html><html lang="en"><meta charset="utf-8"><body style="font-family:sans-serif">' +
    `<p>${asked}</p><p>To confirm that it is yours, open this page and press the button:</p>` +
    `<p><a href="${href}">${href}</a></p><p>${lives}</p><p>${otherwise}</p></body></html>`
  );
}
