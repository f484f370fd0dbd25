import { Doubtful } from '../stores/outcomes/doubtful.ts';
import { Refused } from '../stores/outcomes/refused.ts';
import { Throttled } from '../stores/outcomes/throttled.ts';

/** What nodemailer adds to an error: the command that was answered, the code of the answer, and the answer. */
type SmtpError = {
  readonly command?: string;
  readonly responseCode?: number;
  readonly response?: string;
  readonly message: string;
};

/** Answers about our login (RFC 4954, 6). They say nothing of the mail, and a person mends them. */
const aboutLogin = new Set([530, 534, 535, 538]);
/**
 * Answers about us, though they come to a recipient or a mail: 5.7 is about security and policy (a login that is missing, a sender
 * that may not), 5.4.5 about what a sender may send in a day (RFC 3463, 3.5 and 3.8). Some servers say it in words only.
 */
const aboutUs = /^\d{3}[ -]5\.(?:7\.\d+|4\.5)\b|\brelay(?:ing)?\b/i;

/**
 * Translates what a session ended with. Only an answer to the recipient or to the whole mail can be about this mail: a server that
 * refuses our name, our login or our sender refuses every mail until somebody mends the settings.
 */
export function smtpFailure(error: unknown): Error {
  const { command = '', responseCode, response = '', message } = error as SmtpError;
  if (responseCode === undefined || typeof responseCode !== 'number')
    return new Doubtful(`The mail server gave no clear answer: ${message}`, { cause: error });
  // RFC 5321 (4.2.1): 4yz says that the same command may succeed later; nothing was taken.
  if (responseCode < 500) return new Throttled(`The mail server says not now: ${message}`, undefined);
  if (command === 'RCPT TO' || command === 'DATA') {
    if (!aboutLogin.has(responseCode) && !aboutUs.test(response))
      return new Refused({ code: 'message-refused', detail: `The mail server refuses it: ${message}` });
    // A clear no, also to a whole mail: nothing was taken.
    return new Throttled(`The mail server refuses us, and not this mail alone: ${message}`, undefined);
  }
  return new Error(`The mail server does not take our mail: ${message}`, { cause: error });
}
