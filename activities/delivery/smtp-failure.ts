import { Doubtful } from '../stores/outcomes/doubtful.ts';
import { Refused } from '../stores/outcomes/refused.ts';
import { Throttled } from '../stores/outcomes/throttled.ts';

/** What nodemailer adds to an error: the command that was answered, and the code of the answer. */
type SmtpError = { readonly command?: string; readonly responseCode?: number; readonly message: string };

/** Answers about our login (RFC 4954, 6). They say nothing of the mail, and a person mends them. */
const aboutLogin = new Set([530, 534, 535, 538]);

/**
 * Translates what a session ended with. Only an answer to the recipient or to the whole mail is about this mail: a server that
 * refuses our name, our login or our sender refuses every mail until somebody mends the settings.
 */
export function smtpFailure(error: unknown): Error {
  const { command = '', responseCode, message } = error as SmtpError;
  if (responseCode === undefined || typeof responseCode !== 'number')
    return new Doubtful(`The mail server gave no clear answer: ${message}`, { cause: error });
  const aboutMail = (command === 'RCPT TO' || command === 'DATA') && !aboutLogin.has(responseCode);
  if (responseCode >= 500 && aboutMail)
    return new Refused({ code: 'message-refused', detail: `The mail server refuses it: ${message}` });
  // RFC 5321 (4.2.1): 4yz says that the same command may succeed later; nothing was taken.
  if (responseCode < 500) return new Throttled(`The mail server says not now: ${message}`, undefined);
  return new Error(`The mail server does not take our mail: ${message}`, { cause: error });
}
