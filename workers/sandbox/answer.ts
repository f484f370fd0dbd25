import type { IncomingMessage, ServerResponse } from 'node:http';

/** What goes back over the wire. */
export interface Answer {
  status: number;
  body: string;
  headers: Record<string, string>;
}

/** A server that never reads without limit. Stripe's own requests are a few kilobytes. */
const MAX_BODY_BYTES = 1024 * 1024;

/** Reads a body whole; undefined when it is cut off or too big. */
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

/** Ends the connection in order (FIN), with no answer. */
export function drop(response: ServerResponse): void {
  response.socket?.destroy();
}

/** Ends the connection by a RST. */
export function reset(response: ServerResponse): void {
  response.socket?.resetAndDestroy();
}

/** Promises the whole body, sends a half of it and ends the connection. */
export function cut(response: ServerResponse, answer: Answer, half: string): void {
  response.writeHead(answer.status, {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(answer.body)),
    ...answer.headers,
  });
  response.write(half, () => response.socket?.destroy());
}
