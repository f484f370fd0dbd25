import { createServer, type Socket } from 'node:net';

/**
 * A stand-in on the wire for a database that only reports PostgreSQL 18: it takes any login, tells its name and version, and
 * knows nothing else that PostgreSQL knows. Not a database: the real ones cannot be installed here.
 */
export async function standInPostgres(version: string) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    let held = Buffer.alloc(0);
    let started = false;
    socket.on('data', (chunk) => {
      held = Buffer.concat([held, chunk]);
      for (;;) {
        // The first message has no type (PostgreSQL 18, 54.7).
        const head = started ? 1 : 0;
        if (held.length < head + 4 || held.length < head + held.readInt32BE(head)) return;
        const end = head + held.readInt32BE(head);
        const type = started ? String.fromCharCode(held[0] as number) : 'startup';
        const text = held.toString('utf8', head + 4, end - 1);
        held = held.subarray(end);
        started = true;
        if (type === 'startup')
          socket.write(Buffer.concat([message('R', int32(0)), parameter('server_version', '18.0.0'), ready]));
        if (type === 'Q') socket.write(Buffer.concat([...answer(text, version), ready]));
        if (type === 'X') socket.end();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `postgres://root@127.0.0.1:${(server.address() as { port: number }).port}/hapax`,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function answer(text: string, version: string): Buffer[] {
  if (!text.includes('version()')) {
    const missing = 'unknown function: pg_catalog.row_security_active()';
    const fields = ['SERROR', 'VERROR', 'C42883', `M${missing}`].map(string);
    return [message('E', Buffer.concat([...fields, Buffer.from([0])]))];
  }
  const row = { version, reported: '18.0.0', number: '180000' };
  // Each column as text: no table, type 25, any length.
  const columns = Object.keys(row).map((name) =>
    Buffer.concat([string(name), int32(0), int16(0), int32(25), int16(-1), int32(-1), int16(0)]),
  );
  const values = Object.values(row).map((value) =>
    Buffer.concat([int32(Buffer.byteLength(value)), Buffer.from(value)]),
  );
  return [
    message('T', Buffer.concat([int16(columns.length), ...columns])),
    message('D', Buffer.concat([int16(values.length), ...values])),
    message('C', string('SELECT 1')),
  ];
}

const int16 = (n: number) => Buffer.from([(n >> 8) & 255, n & 255]);
const int32 = (n: number) => Buffer.concat([int16(n >> 16), int16(n)]);
const string = (text: string) => Buffer.from(`${text}\0`);
const message = (type: string, body: Buffer) => Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
const parameter = (name: string, value: string) => message('S', Buffer.concat([string(name), string(value)]));
const ready = message('Z', Buffer.from('I'));
