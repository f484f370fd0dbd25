import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { sendJson } from './answer.ts';
import type { Sandbox } from './call.ts';
import { FaultPlan } from './fault-plan.ts';
import { Holds } from './holds.ts';
import { openJournal } from './journal.ts';
import { Ledger, type LedgerEntry } from './ledger.ts';
import { MessageBook } from './message-book.ts';
import { Provider } from './provider.ts';
import { RequestLog } from './request-log.ts';
import { BANK_PATH, serveBank } from './serve-bank.ts';
import { serveControl } from './serve-control.ts';
import { MESSAGES_PATH, serveMessages } from './serve-messages.ts';
import { serveV1 } from './serve-v1.ts';
import { defaultSettings, type Settings } from './settings.ts';
import { WebhookSender } from './webhook-sender.ts';

export interface SandboxOptions extends Partial<Settings> {
  /** Where the journal is kept; made when absent. */
  data: string;
  /** Default 127.0.0.1. */
  host?: string;
  /** Default 0: any free port. */
  port?: number;
  /** Where a buyer's browser reaches the sandbox. Default: its own address. */
  publicUrl?: string;
}

interface RunningSandbox {
  /** `http://host:port`, without a path. */
  url: string;
  close(): Promise<void>;
}

// Longer than any client keeps an idle connection. If we closed one earlier, that could race with a request on its way,
// and look like a fault that was not planned.
const KEEP_ALIVE_MS = 15 * 60 * 1000;

/** Starts a payment provider that behaves like Stripe, with the state that its journal holds. */
export async function startSandbox(options: SandboxOptions): Promise<RunningSandbox> {
  const { data, host = '127.0.0.1', port = 0, publicUrl, ...given } = options;
  const closing = new AbortController();
  const opened = Promise.withResolvers<Sandbox>();
  const server = serve(opened.promise);
  // The port comes before the journal: a second sandbox, started by mistake, must not touch the file of the first.
  await listen(server, port, host);
  const close = async () => {
    closing.abort();
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  };
  const ledger = new Ledger();
  const journal = await openJournal(data, (line) => ledger.apply(line as LedgerEntry), lost).catch(async (error) => {
    await close();
    throw error;
  });
  const messages = await MessageBook.open(join(data, 'messages'), lost);
  const provider = new Provider(ledger, { ...defaultSettings, ...given }, journal);
  const webhooks = new WebhookSender(provider.settings, data, ledger.events.length);
  opened.resolve({
    provider,
    faults: new FaultPlan(),
    holds: new Holds(),
    log: new RequestLog(),
    webhooks,
    messages,
    publicUrl: publicUrl ?? urlOf(server, host),
    closing: closing.signal,
  });
  return {
    url: urlOf(server, host),
    close: () => {
      webhooks.close();
      return close().then(() => Promise.all([journal.close(), messages.close()]).then(() => undefined));
    },
  };
}

/** The disk is behind memory now, so only a restart from the journal gives a true state. */
function lost(error: Error): never {
  throw error;
}

/** Requests that come while the journal is still being read wait for it. */
function serve(opened: Promise<Sandbox>): Server {
  const server = createServer((request, response) => {
    const url = URL.parse(`http://sandbox${request.url}`);
    if (url === null) return sendJson(response, 400, { error: { message: 'This is not a valid URL.' } });
    const answer = url.pathname.startsWith('/v1/')
      ? serveV1
      : url.pathname.startsWith(BANK_PATH)
        ? serveBank
        : url.pathname.startsWith(MESSAGES_PATH)
          ? serveMessages
          : serveControl;
    opened
      .then((sandbox) => answer(sandbox, request, response, url))
      .catch((error: unknown) => {
        // A bug in the sandbox itself. Tests should see it, in the answer and in the log.
        process.stderr.write(`${request.method} ${request.url}: ${(error as Error).stack}\n`);
        if (!response.headersSent) sendJson(response, 500, { error: { type: 'api_error', message: String(error) } });
      });
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  return server;
}

function urlOf(server: Server, host: string): string {
  return `http://${host}:${(server.address() as AddressInfo).port}`;
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
}
