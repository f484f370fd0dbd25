import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EncryptedPayloads, payloadOf, textOf } from '../activities/seal/payload-codec.ts';
import { SealFault } from '../activities/seal/seals.ts';
import { type Config, ConfigFault, readConfig } from './config.ts';
import { type Running, runProcess } from './process.ts';

export const codecSettings = ['HAPAX_PAYLOAD_KEYS', 'HAPAX_CODEC_PORT', 'HAPAX_CODEC_ORIGINS'] as const;

/** It has no callers to tell apart, so only this machine reaches it: forward the port to look from elsewhere. */
const host = '127.0.0.1';
/** A page of a long history, with its payloads in base64. Bytes. */
const longestBody = 16 * 1024 * 1024;

/** Decrypts payloads for Temporal's UI and command line, by Temporal's protocol for codec servers. */
export async function startCodec(config: Pick<Config, (typeof codecSettings)[number]>): Promise<Running> {
  const { HAPAX_PAYLOAD_KEYS: keys, HAPAX_CODEC_ORIGINS: origins } = config;
  if (keys === undefined)
    throw new ConfigFault('Cannot start:\n  HAPAX_PAYLOAD_KEYS is not set: give the keys that the workers have.');
  const codec = new EncryptedPayloads(keys, false);
  const server = createServer((request, response) => {
    void answer(request, response, codec, origins);
  });
  await new Promise<void>((resolve, reject) =>
    server.once('error', reject).listen(config.HAPAX_CODEC_PORT, host, resolve),
  );
  return {
    address: `http://${host}:${(server.address() as AddressInfo).port}`,
    ended: new Promise(() => undefined),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  codec: EncryptedPayloads,
  origins: readonly string[],
): Promise<void> {
  const { origin } = request.headers;
  const send = (status: number, says: object): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(says));
  };
  // A page from elsewhere could reach this port through the browser of whoever opens it. Programs send no Origin.
  if (origin !== undefined && !origins.includes(origin))
    return send(403, {
      message: `${origin} may not decrypt: list the address of Temporal's UI in HAPAX_CODEC_ORIGINS.`,
    });
  if (origin !== undefined) {
    response.setHeader('access-control-allow-origin', origin).setHeader('vary', 'origin');
    response.setHeader('access-control-allow-headers', 'content-type, x-namespace, authorization');
    response.setHeader('access-control-allow-methods', 'POST');
  }
  if (request.method === 'OPTIONS') return void response.writeHead(204).end();
  if (request.method === 'GET' && request.url === '/healthz') return send(200, { message: 'ok' });
  if (request.method !== 'POST' || request.url !== '/decode')
    return send(404, { message: 'There is only POST /decode here.' });
  try {
    const { payloads = [] } = JSON.parse(await textOfBody(request)) as { payloads?: Parameters<typeof payloadOf>[0][] };
    send(200, { payloads: (await codec.decode(payloads.map(payloadOf))).map(textOf) });
  } catch (error) {
    send(400, { message: error instanceof SealFault ? error.message : 'The body is not a list of payloads.' });
  }
}

async function textOfBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > longestBody) throw new RangeError('The body is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

if (import.meta.main) await runProcess('codec', () => startCodec(readConfig(codecSettings)));
