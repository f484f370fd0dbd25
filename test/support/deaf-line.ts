import { connect, createServer, type Socket } from 'node:net';

/** NotificationResponse of PostgreSQL's protocol (PostgreSQL 18, 54.7). */
const notification = 'A'.charCodeAt(0);

/** A way to PostgreSQL on which all goes well, and no notification arrives: as through a pooler that shares sessions. */
export async function deafLine(target: string) {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    let held = Buffer.alloc(0);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => [near, far].forEach((each) => each.destroy()));
    }
    near.pipe(far);
    far.on('data', (chunk) => {
      held = Buffer.concat([held, chunk]);
      for (let end = endOf(held); end !== undefined; end = endOf(held)) {
        if (held[0] !== notification) near.write(held.subarray(0, end));
        held = held.subarray(end);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(target);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as { port: number }).port);
  return {
    url: url.href,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** @returns where the first message ends, once it is whole */
function endOf(bytes: Buffer): number | undefined {
  if (bytes.length < 5) return undefined;
  const end = 1 + bytes.readInt32BE(1);
  return bytes.length < end ? undefined : end;
}
