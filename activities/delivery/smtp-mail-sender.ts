import { Readable } from 'node:stream';
import MailComposer from 'nodemailer/lib/mail-composer';
import { parseConnectionUrl } from 'nodemailer/lib/shared';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import { minutes, seconds } from '../../workflows/operation/duration.ts';
import type { Mail, Mailbox, MailSender } from './mail-sender.ts';
import { smtpFailure } from './smtp-failure.ts';

/** For the connection, TLS and each answer until the mail is handed over. */
const untilHandOver = seconds(30);
/**
 * A server that has the whole mail may deliver it before it answers. RFC 5321 (4.5.3.2.6) gives it ten minutes: a client that
 * gives up earlier sends the mail twice.
 */
const untilTaken = minutes(10);

type Server = {
  /** `smtp://` or `smtps://`, with nodemailer's options in its query. */
  readonly url: string;
  readonly from: Mailbox;
};

/** A mail server by SMTP. It knows no ids: what it took without an answer that reached us is sent again, or not at all. */
export function smtpMailSender({ url, from }: Server): MailSender {
  const { auth, ...server } = parseConnectionUrl(url);
  return {
    called: 'the mail server',
    place: `smtp:${new URL(url).hostname}`,
    knowsIdsFor: 0,
    longestSend: untilHandOver + untilTaken,
    async send(mail, { handOver, signal }) {
      const bytes = await composed(mail, from);
      const connection = new SMTPConnection({
        connectionTimeout: untilHandOver,
        greetingTimeout: untilHandOver,
        socketTimeout: untilTaken,
        ...server,
      });
      const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
      const late = setTimeout(() => reject(new Error(`no answer within ${untilHandOver / 1_000} s`)), untilHandOver);
      const stop = (): void => reject(signal.reason as Error);
      signal.addEventListener('abort', stop);
      connection.on('error', reject);
      let notHandedOver: Error | undefined;
      const body = Readable.from(
        (async function* () {
          // The server waits for the mail here, and can take it once the bytes are on their way.
          clearTimeout(late);
          try {
            await handOver();
            signal.throwIfAborted();
          } catch (error) {
            notHandedOver = error as Error;
            throw new Error('The mail was not handed over', { cause: error });
          }
          yield bytes;
        })(),
      );
      const envelope = { from: from.address, to: [mail.to.address], size: bytes.length };
      try {
        signal.throwIfAborted();
        void session(connection, auth, mail)
          .then(() => connection.send(envelope, body, (error) => (error ? reject(error) : resolve())))
          .catch(reject);
        await ended;
        connection.quit();
      } catch (error) {
        // A server takes a mail only with its end (RFC 5321, 4.1.1.4): closing before it takes the mail back.
        connection.close();
        throw notHandedOver ?? smtpFailure(error);
      } finally {
        clearTimeout(late);
        signal.removeEventListener('abort', stop);
      }
    },
  };
}

/**
 * Connects, and logs in where the address has a login. A server that offers none would refuse each recipient as a stranger's, as if
 * the mail were at fault.
 */
async function session(
  connection: SMTPConnection,
  auth: { user: string; pass: string } | undefined,
  { to }: Mail,
): Promise<void> {
  await new Promise<void>((resolve, reject) => connection.connect((error) => (error ? reject(error) : resolve())));
  expectUnicode(connection, to.address);
  if (auth === undefined) return;
  if (!connection.allowsAuth)
    throw Object.assign(new Error('it offers no login, though SMTP_URL has one: see to its port and to TLS'), {
      command: 'AUTH',
      responseCode: 530,
    });
  await new Promise<void>((resolve, reject) => connection.login(auth, (error) => (error ? reject(error) : resolve())));
}

/** Without SMTPUTF8 the name before the `@` is ASCII (RFC 6531, 3.2). The server's answer to EHLO lists what it knows. */
function expectUnicode({ lastServerResponse }: SMTPConnection, address: string): void {
  // oxlint-disable-next-line no-control-regex -- all of ASCII
  if (/^[\x00-\x7f]*$/.test(address) || /[ -]SMTPUTF8\b/i.test(lastServerResponse || '')) return;
  throw Object.assign(new Error('the server takes no addresses beyond ASCII (SMTPUTF8)'), {
    command: 'RCPT TO',
    responseCode: 553,
  });
}

/** The whole mail. Its id, its date and its boundaries come from the message: each try sends the same bytes. */
async function composed({ id, to, subject, text, html, at }: Mail, from: Mailbox): Promise<Buffer> {
  const boxOf = ({ name = '', address }: Mailbox) => ({ name, address });
  const composer = new MailComposer({
    from: boxOf(from),
    to: boxOf(to),
    subject,
    text,
    html,
    date: at,
    messageId: `<${id}${from.address.slice(from.address.lastIndexOf('@'))}>`,
    baseBoundary: id,
    // RFC 3834: nobody's holiday notice answers it.
    headers: { 'Auto-Submitted': 'auto-generated' },
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return await composer.compile().build();
}
