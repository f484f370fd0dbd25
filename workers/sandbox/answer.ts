import type { IncomingMessage, ServerResponse } from 'node:http';

/** An HTTP answer. */
export interface Answer {
  status: number;
  body: string;
  headers: Record<string, string>;
}

/** The server never reads without a limit. Requests to Stripe are a few kilobytes. */
const MAX_BODY_BYTES = 1024 * 1024;

/** Reads a whole body; undefined when it is cut off or too big. */
export function readBody(request: IncomingMessage): Promise<string | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_BODY_BYTES) chunks.push(chunk);
    });
    request.on('end', () => resolve(size <= MAX_BODY_BYTES ? Buffer.concat(chunks).toString() : undefined));
    // After `end` these change nothing: a promise settles once.
    request.on('error', () => resolve(undefined));
    request.on('close', () => resolve(undefined));
  });
}

export function send(response: ServerResponse, { status, body, headers }: Answer): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  });
  response.end(body);
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  send(response, { status, body: JSON.stringify(body), headers: {} });
}

/** Closes the connection in order (FIN), without an answer. */
export function drop(response: ServerResponse): void {
  response.socket?.destroy();
}

/** Closes the connection with a RST. */
export function reset(response: ServerResponse): void {
  response.socket?.resetAndDestroy();
}

/** Announces the whole body, sends half of it and closes the connection. */
export function cut(response: ServerResponse, answer: Answer, half: string): void {
  response.writeHead(answer.status, {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(answer.body)),
    ...answer.headers,
  });
  response.write(half, () => response.socket?.destroy());
}
