import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';

/** The letter shop as tests need it. What it has posted it keeps in memory: tests kill workers, not the shop. */
type Posted = { readonly type: 'letter.issued' | 'letter.voided'; readonly operation: string; readonly key: string };

const { values } = parseArgs({
  options: { host: { type: 'string' }, port: { type: 'string' }, data: { type: 'string' } },
});
const book: Posted[] = [];
const voided = new Set<string>();

const server = createServer((request, response) => void serve(request, response));

async function serve(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
  const answer = (status: number, body: unknown) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  if (request.url === '/healthz') return answer(200, {});
  if (request.url === '/_audit') return answer(200, book);
  if (request.headers.authorization !== 'Bearer letters') return answer(401, {});
  const key = String(request.headers['idempotency-key']);
  const asked = JSON.parse(await text(request)) as { operation: string; key: string };
  if (request.url === '/voids') {
    const issued = book.find((one) => one.key === asked.key);
    if (issued !== undefined && !voided.has(asked.key)) book.push({ ...issued, type: 'letter.voided' });
    voided.add(asked.key);
    return answer(200, {});
  }
  if (voided.has(key)) return answer(410, {});
  if (!book.some((one) => one.key === key)) book.push({ type: 'letter.issued', operation: asked.operation, key });
  return answer(201, { parcel: 1 + book.findIndex((one) => one.key === key) });
}

server.listen(Number(values.port), values.host, () => {
  const { port } = server.address() as AddressInfo;
  console.log(JSON.stringify({ event: 'listening', url: `http://${values.host}:${port}` }));
});
process.once('SIGTERM', () => process.exit(0));
