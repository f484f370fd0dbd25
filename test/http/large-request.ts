import { connect, type Socket } from 'node:net';

/** What a caller saw of an answer, from its first byte to the end of the connection. */
type Seen = {
  readonly status: number;
  readonly code: string | undefined;
  readonly headers: string;
  /** What ended the connection: our peer's end, or a fault such as ECONNRESET. */
  readonly end: string;
  /** What of the body was handed to the network. Bytes. */
  readonly sent: number;
};

/**
 * `reads-along`: as a browser, which sees an answer while it sends. `reads-after`: as many small clients, which send all
 * of a body before they look.
 */
export type Manner = 'reads-along' | 'reads-after';

const piece = Buffer.alloc(256 * 1024, 'x');

/**
 * Sends a request with a body of that size over a connection of its own, whatever is answered meanwhile.
 * @param head the lines of the request without the last, empty one
 * @param until a proxy keeps the connection of its caller, a door that refuses ends it
 * @param after what comes behind the body
 */
export async function sendLarge(
  address: string,
  head: readonly string[],
  size: number,
  manner: Manner,
  until: 'answer' | 'end' | 'close' = 'end',
  after = '',
): Promise<Seen> {
  const { hostname, port } = new URL(address);
  const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
  const read: Buffer[] = [];
  let end = 'FIN';
  socket.on('error', (error: NodeJS.ErrnoException) => {
    end = error.code ?? error.message;
  });
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const ended = new Promise<void>((resolve) => socket.once('end', resolve));
  const whole = Promise.withResolvers<void>();
  const take = (bytes: Buffer): void => {
    read.push(bytes);
    if (until === 'answer' && isWhole(Buffer.concat(read))) whole.resolve();
  };
  if (manner === 'reads-along') socket.on('data', take);
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  const sent = await writeAll(socket, size, closed);
  if (after !== '' && socket.writable) socket.write(after);
  if (manner === 'reads-after') socket.on('data', take);
  const late = setTimeout(() => socket.destroy(new Error('not ended')), 20_000);
  await Promise.race([...(until === 'close' ? [] : [ended]), closed, whole.promise]);
  clearTimeout(late);
  socket.end();
  await closed;
  const [headers = '', body = ''] = Buffer.concat(read).toString('latin1').split('\r\n\r\n');
  const status = Number(headers.split(' ')[1] ?? 0);
  return { status, headers, code: /"code":"([^"]+)"/.exec(body)?.[1], end, sent };
}

async function writeAll(socket: Socket, size: number, closed: Promise<void>): Promise<number> {
  let sent = 0;
  while (sent < size && socket.writable) {
    const part = piece.subarray(0, Math.min(piece.length, size - sent));
    const written = new Promise<boolean>((resolve) => {
      socket.write(part, (error) => resolve(error === null || error === undefined));
    });
    if (!(await Promise.race([written, closed.then(() => false)]))) break;
    sent += part.length;
  }
  return sent;
}

function isWhole(bytes: Buffer): boolean {
  const end = bytes.indexOf('\r\n\r\n');
  const length = /content-length: (\d+)/i.exec(bytes.subarray(0, end).toString('latin1'))?.[1];
  return end >= 0 && length !== undefined && bytes.length >= end + 4 + Number(length);
}
