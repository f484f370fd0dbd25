import { connect } from 'node:net';

/** One answer as it stood on the wire. */
export type RawAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
};

export type RawRequest = {
  readonly method?: string;
  readonly path?: string;
  /** Lines as they are sent, in order: a name may stand twice, and a value may hold any byte (Latin-1). */
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string | Buffer;
};

/** The bytes of a request with Host, token, and the length and type of its body, where its headers do not say them. */
export function rawRequest({ method = 'POST', path = '/v1/checkouts', headers = [], body = '' }: RawRequest): Buffer {
  const said = new Set(headers.map(([name]) => name.toLowerCase()));
  const usual: [string, string][] = [
    ['host', 'door'],
    ['authorization', 'Bearer local-alpha'],
    ...(body.length === 0
      ? []
      : ([
          ['content-type', 'application/json'],
          ['content-length', String(Buffer.byteLength(body))],
        ] as [string, string][])),
  ];
  const lines = [...usual.filter(([name]) => !said.has(name)), ...headers].map(([name, value]) => `${name}: ${value}`);
  return Buffer.concat([
    Buffer.from(`${[`${method} ${path} HTTP/1.1`, ...lines].join('\r\n')}\r\n\r\n`, 'latin1'),
    Buffer.from(body),
  ]);
}

/**
 * Sends bytes as they stand over a connection of its own, and gives the answers that come back.
 * @throws when fewer than `answers` have come within `patience` milliseconds
 */
export async function exchange(address: string, bytes: Buffer, answers = 1, patience = 30_000): Promise<RawAnswer[]> {
  const { hostname, port } = new URL(address);
  const socket = connect(Number(port), hostname);
  let received = Buffer.alloc(0);
  try {
    return await new Promise((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`No answer in ${patience} ms after: ${received.toString('latin1').slice(0, 500)}`)),
        patience,
      );
      const look = (ended: boolean): void => {
        const found = parsed(received);
        if (found.length < answers && !ended) return;
        clearTimeout(late);
        if (found.length < answers) reject(new Error(`The door closed after ${found.length} of ${answers} answers`));
        else resolve(found);
      };
      socket.on('data', (chunk) => {
        received = Buffer.concat([received, chunk]);
        look(false);
      });
      socket.on('end', () => look(true));
      // A door that has answered and closed may reset what is still being sent.
      socket.on('error', () => look(true));
      socket.write(bytes);
    });
  } finally {
    socket.destroy();
  }
}

function parsed(bytes: Buffer): RawAnswer[] {
  const answers: RawAnswer[] = [];
  let rest = bytes;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return answers;
    const [first = '', ...lines] = rest.subarray(0, end).toString('latin1').split('\r\n');
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const at = line.indexOf(':');
      headers[line.slice(0, at).toLowerCase()] = line.slice(at + 1).trim();
    }
    const length = Number(headers['content-length'] ?? 0);
    const start = end + 4;
    if (rest.length < start + length) return answers;
    answers.push({ status: Number(first.split(' ')[1]), headers, body: rest.subarray(start, start + length) });
    rest = rest.subarray(start + length);
  }
}
