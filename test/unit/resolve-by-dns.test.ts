import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { Resolver } from 'node:dns/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { NameUnanswered } from '../../activities/endpoint-address/name-unanswered.ts';
import { resolveByDns } from '../../activities/endpoint-address/resolve-by-dns.ts';

const [noError, serverFailure, noSuchName, refused] = [0, 2, 3, 5];
const [ofIpv4, ofIpv6] = [1, 28];
const address = Buffer.from([93, 184, 216, 34]);

const open: Socket[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.close();
});

type Answer = (type: number) => Buffer | number | undefined;

/**
 * A name server, and a client that asks it once.
 * @param answer to a question for a type; undefined: it is silent
 * @param timeout longer than this machine ever stands still; short where nothing comes. Milliseconds
 */
async function nameServer(answer: Answer, timeout = 20_000): Promise<Resolver> {
  const socket = createSocket('udp4');
  open.push(socket);
  socket.on('message', (question, { port }) => {
    const type = question.readUInt16BE(question.indexOf(0, 12) + 1);
    const answered = answer(type);
    if (answered !== undefined) socket.send(reply(question, answered), port, '127.0.0.1');
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const resolver = new Resolver({ timeout, tries: 1 });
  resolver.setServers([`127.0.0.1:${socket.address().port}`]);
  return resolver;
}

/** The header says what became of it (RFC 1035, 4.1.1); an address is the one record of its answer. */
function reply(question: Buffer, answered: Buffer | number): Buffer {
  const end = question.indexOf(0, 12) + 5;
  const head = Buffer.from(question.subarray(0, end));
  const isAddress = typeof answered !== 'number';
  head.writeUInt16BE(0x8180 | (isAddress ? noError : answered), 2);
  head.writeUInt16BE(Number(isAddress), 6);
  head.fill(0, 8, 12);
  if (!isAddress) return head;
  const record = Buffer.from([0xc0, 12, 0, ofIpv4, 0, 1, 0, 0, 0, 60, 0, answered.length]);
  return Buffer.concat([head, record, answered]);
}

describe('a name', () => {
  it('of one family alone leads there', async () => {
    const resolver = await nameServer((type) => (type === ofIpv4 ? address : noError));
    expect(await resolveByDns('shop.example.com', resolver)).toEqual(['93.184.216.34']);
  });

  it('leads to what is known, where the other family is not', async () => {
    const resolver = await nameServer((type) => (type === ofIpv6 ? serverFailure : address));
    expect(await resolveByDns('shop.example.com', resolver)).toEqual(['93.184.216.34']);
  });

  it.each([
    ['nobody has', noSuchName],
    ['has no address', noError],
  ])('that %s leads nowhere', async (_, code) => {
    expect(await resolveByDns('shop.example.com', await nameServer(() => code))).toEqual([]);
  });

  it.each([
    ['fails', () => serverFailure],
    ['refuses to answer', () => refused],
    ['knows of one family alone that there is nothing', (type: number) => (type === ofIpv4 ? noError : serverFailure)],
  ])('leads nobody knows where, while its server %s', async (_, answer) => {
    await expect(resolveByDns('shop.example.com', await nameServer(answer))).rejects.toThrow(NameUnanswered);
  });

  it('leads nobody knows where, while its server is silent', async () => {
    const resolver = await nameServer(() => undefined, 100);
    await expect(resolveByDns('shop.example.com', resolver)).rejects.toThrow(NameUnanswered);
  });

  it('leads nobody knows where, while there is no server', async () => {
    const resolver = await nameServer(() => noError, 1_000);
    for (const socket of open.splice(0)) socket.close();
    await expect(resolveByDns('shop.example.com', resolver)).rejects.toThrow(NameUnanswered);
  });
});
