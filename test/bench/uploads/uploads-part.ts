import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { median } from '../measure/statistics.ts';
import type { Part } from '../part.ts';
import { startPlainUploads } from './plain-uploads.ts';
import { bySdk, plainPut, presigned, rawPut } from './straight.ts';
import { create, drained, head, large, patch, small, smallBodies } from './upload-load.ts';
import { type Address, startUploadStack } from './upload-stack.ts';

const MiB = 1024 ** 2;
const GiB = 1024 * MiB;
/** Small uploads in one go. */
const burst = 1_000;
/** A GiB takes some seconds on each side, and there are seven of them in a round. */
const mostRounds = 3;

/** Uploads against `@tus/server` and the bare AWS SDK, all on one S3 server. */
export const uploadsPart: Part = async ({ servers, rounds: count, say }) => {
  const stack = await startUploadStack(servers);
  const plain = await startPlainUploads(servers, stack.storeSettings);
  const [one, other] = stack.doors;
  const piece = randomBytes(64 * MiB);
  const rounds: Record<string, number>[] = [];
  try {
    await small(one.url, smallBodies(50), 16);
    await small(stack.peer.url, smallBodies(20), 16);
    for (let number = 0; number < Math.min(count, mostRounds); number += 1) {
      const round: Record<string, number> = {};
      const bodies = smallBodies(burst);
      const begun = performance.now();
      round.small = await small(one.url, bodies, 16);
      await drained(servers.postgres.url);
      round.settled = (burst * 1_000) / (performance.now() - begun);
      round.settledPlain = await plain.settle(bodies, 16, false);
      round.smallPeer = await small(stack.peer.url, smallBodies(150), 16);
      round.large = await large(one.url, GiB, piece);
      round.largePeer = await large(stack.peer.url, GiB, piece);
      if (stack.tusd !== undefined) {
        round.smallTusd = await small(stack.tusd.url, smallBodies(300), 16);
        round.largeTusd = await large(stack.tusd.url, GiB, piece);
      }
      await drained(servers.postgres.url);
      round.raw = await rawPut(stack.store, GiB);
      round.plain = await plainPut(one.url, GiB);
      await drained(servers.postgres.url);
      const sdk = await bySdk(stack.store, GiB);
      const signed = await presigned(one.url, GiB);
      const tiny = await presigned(one.url, 10 * MiB);
      Object.assign(round, {
        sdk: sdk.parts,
        signed: signed.all,
        completeLarge: signed.complete,
        completeSmall: tiny.complete,
      });
      await drained(servers.postgres.url);
      rounds.push(round);
      say(`uploads: round ${number + 1} of ${Math.min(count, mostRounds)}: ${JSON.stringify(round)}`);
    }
    const heads = await looks(one.url);
    const resumes = await resumed(one, other);
    const twenty = Array.from({ length: 20 });
    const many = await peak(one, () => Promise.all(twenty.map(() => large(one.url, 256 * MiB, piece))));
    await drained(servers.postgres.url);
    const slow = await peak(one, () => slowly(one, 1_000));
    const of = (name: string): number => median(rounds.map((round) => round[name] ?? 0));
    const ratio = (a: string, b: string): number => median(rounds.map((round) => (round[a] ?? 0) / (round[b] ?? 1)));
    return {
      figures: [
        {
          name: 'create + PATCH 64 KiB, 16 at once',
          hapax: of('small'),
          plain: of('smallPeer'),
          value: ratio('small', 'smallPeer'),
          unit: '× @tus/server',
          target: { atLeast: 4 },
        },
        {
          name: 'the same, settled, with all that was queued',
          hapax: of('settled'),
          plain: of('settledPlain'),
          value: ratio('settled', 'settledPlain'),
          unit: '× bare workflows',
          target: { atLeast: 0.7 },
        },
        {
          name: '1 GiB by tus in 64 MiB PATCHes',
          hapax: of('large') / 1_000,
          plain: of('largePeer') / 1_000,
          value: ratio('large', 'largePeer'),
          unit: '× @tus/server',
          target: { atLeast: 2 },
        },
        ...(stack.tusd === undefined
          ? []
          : [
              {
                ...{ name: 'create + PATCH 64 KiB, 16 at once', hapax: of('small'), plain: of('smallTusd') },
                ...{ value: ratio('small', 'smallTusd'), unit: '× tusd' },
              },
              {
                ...{
                  name: '1 GiB by tus in 64 MiB PATCHes',
                  hapax: of('large') / 1_000,
                  plain: of('largeTusd') / 1_000,
                },
                ...{ value: ratio('large', 'largeTusd'), unit: '× tusd' },
              },
            ]),
        {
          name: '1 GiB in presigned parts, four at once',
          hapax: of('signed'),
          plain: of('sdk'),
          value: ratio('sdk', 'signed'),
          unit: '× the bare SDK',
          target: { atLeast: 0.95 },
        },
        {
          name: '1 GiB by plain PUT',
          hapax: of('plain') / 1_000,
          plain: of('raw') / 1_000,
          value: ratio('plain', 'raw'),
          unit: '× a raw stream',
          target: { atLeast: 0.9 },
        },
        { name: 'complete of 10 MiB in parts', value: of('completeSmall'), unit: 'ms', target: { atMost: 50 } },
        { name: 'complete of 1 GiB in parts', value: of('completeLarge'), unit: 'ms', target: { atMost: 50 } },
        { name: 'HEAD of an upload', value: heads, unit: 'ms', target: { atMost: 5 } },
        { name: 'resume after a hung connection, other process', value: resumes, unit: 'ms', target: { atMost: 200 } },
        { name: 'memory for 20 uploads of 256 MiB', value: many, unit: 'MiB', target: { atMost: 96 } },
        { name: 'memory for 1,000 slow uploads', value: slow, unit: 'MiB', target: { atMost: 200 } },
      ],
      raw: rounds,
    };
  } finally {
    await plain.stop();
    await stack.stop();
  }
};

async function looks(server: string): Promise<number> {
  const url = await create(server, 10 * MiB);
  await patch(url, 0, randomBytes(1_000));
  const took: number[] = [];
  for (let n = 0; n < 200; n += 1) {
    const begun = performance.now();
    await head(url);
    took.push(performance.now() - begun);
  }
  return median(took);
}

/** A connection hangs in the middle of a body; its caller goes on through another process. */
async function resumed(one: Address, other: Address): Promise<number> {
  const took: number[] = [];
  for (let n = 0; n < 9; n += 1) {
    const url = await create(one.url, 20 * MiB);
    const hung = stall(url, 0, 20 * MiB, randomBytes(2 * MiB));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const elsewhere = url.replace(one.url, other.url);
    const begun = performance.now();
    await patch(elsewhere, await head(elsewhere), randomBytes(1_000));
    took.push(performance.now() - begun);
    hung.destroy();
  }
  return median(took);
}

function stall(url: string, offset: number, length: number, first: Buffer) {
  const headers = {
    ...{ authorization: 'Bearer local-alpha', 'tus-resumable': '1.0.0', 'upload-offset': offset },
    ...{ 'content-type': 'application/offset+octet-stream', 'content-length': length },
  };
  const sent = request(url, { method: 'PATCH', headers, agent: false });
  sent.on('error', () => undefined);
  sent.write(first);
  return sent;
}

/** @returns MiB that a process holds during the work beyond what it held before, at its highest */
async function peak(door: Address, work: () => Promise<unknown>): Promise<number> {
  const before = await resident(door.pid);
  let highest = before;
  const look = setInterval(() => {
    void resident(door.pid).then((now) => {
      highest = Math.max(highest, now);
    });
  }, 100);
  await work().finally(() => clearInterval(look));
  return highest - before;
}

/** Uploads that send some bytes each second. */
async function slowly(door: Address, count: number): Promise<void> {
  const bodies = [];
  for (let n = 0; n < count; n += 1)
    bodies.push(stall(await create(door.url, 10 * MiB), 0, 10 * MiB, randomBytes(20_000)));
  for (let second = 0; second < 10; second += 1) {
    for (const body of bodies) body.write(randomBytes(10_000));
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  for (const body of bodies) body.destroy();
}

async function resident(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1_024;
}
