import { SMTPServer } from 'smtp-server';
import { freePorts } from '../../workers/local/free-port.ts';

/** A mail that was taken, as it came. */
type Caught = { readonly to: string; readonly id: string; readonly source: string };

/** What the catcher does with the next mails, where it does not simply take them. */
type Manner = {
  /** Answers to recipients: the code by which an address is refused. */
  readonly refuses?: (address: string) => number | undefined;
  /** Answers to whole mails: the code by which they are refused. */
  readonly refusesMail?: number;
  /** The words of a refusal, behind its code. */
  readonly says?: string;
  /** Takes the mail, and cuts the connection instead of answering. */
  readonly cuts?: boolean;
  /** Takes the mail for an address, and answers so much later. Milliseconds. */
  readonly late?: (address: string) => number;
};

type Options = { readonly login?: { readonly user: string; readonly pass: string }; readonly hideSMTPUTF8?: boolean };

/** A real mail server that sends nothing on and counts what it has taken. A test may let it misbehave, go away and come back. */
export class MailCatcher {
  readonly mails: Caught[] = [];
  manner: Manner = {};
  #server: SMTPServer;
  readonly #options: Options;
  port = 0;

  private constructor(options: Options) {
    this.#options = options;
    this.#server = this.#made();
  }

  static async start(options: Options = {}): Promise<MailCatcher> {
    const catcher = new MailCatcher(options);
    // The system gives this port to no connection while the catcher is away.
    [catcher.port = 0] = await freePorts(1);
    await catcher.comeBack();
    return catcher;
  }

  get url(): string {
    return `smtp://127.0.0.1:${this.port}`;
  }

  /** The mails that were taken for an address. */
  for(address: string): Caught[] {
    return this.mails.filter(({ to }) => to === address);
  }

  #made(): SMTPServer {
    const { login, hideSMTPUTF8 = false } = this.#options;
    return new SMTPServer({
      logger: false,
      authOptional: login === undefined,
      allowInsecureAuth: true,
      disabledCommands: login === undefined ? ['AUTH', 'STARTTLS'] : ['STARTTLS'],
      hideSMTPUTF8,
      closeTimeout: 10,
      onAuth: ({ username, password }, _session, done) => {
        if (username === login?.user && password === login?.pass) done(null, { user: 'known' });
        else done(refused(535, 'Unknown login'));
      },
      onRcptTo: ({ address }, _session, done) => {
        const code = this.manner.refuses?.(address);
        done(code === undefined ? null : refused(code, this.manner.says ?? 'Not this recipient'));
      },
      onData: (stream, session, done) => {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          const { refusesMail, says = 'Not this mail', cuts, late } = this.manner;
          if (refusesMail !== undefined) return done(refused(refusesMail, says));
          const source = Buffer.concat(chunks).toString('utf8');
          const id = /^message-id: *(?:\r\n )?<([^>]+)>/im.exec(source)?.[1] ?? '';
          for (const { address } of session.envelope.rcptTo) this.mails.push({ to: address, id, source });
          if (cuts) return this.#cut(session.id);
          setTimeout(() => done(null, 'Taken'), late?.(session.envelope.rcptTo[0]?.address ?? '') ?? 0);
        });
      },
    });
  }

  #cut(session: string): void {
    const connection = [...this.#server.connections].find((one) => one.session.id === session);
    connection?._socket.destroy();
  }

  /** Nobody answers at its port any more. */
  async goAway(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** Listens at the port that it had, as soon as no connection of somebody else's has it. */
  async comeBack(): Promise<void> {
    while (!(await this.#listens())) await new Promise((resolve) => setTimeout(resolve, 50));
    const address = this.#server.server.address();
    if (typeof address === 'object' && address !== null) this.port = address.port;
  }

  async #listens(): Promise<boolean> {
    this.#server = this.#made();
    return await new Promise<boolean>((resolve) => {
      this.#server.on('error', () => resolve(false));
      this.#server.listen(this.port, '127.0.0.1', () => resolve(true));
    });
  }
}

function refused(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode });
}
