import { SlowHashes } from '../../../activities/seal/slow-hashes.ts';
import type { Figure } from '../measure/figure.ts';
import { median, percentile } from '../measure/statistics.ts';
import type { Part } from '../part.ts';
import { startHttpDoor } from '../stack/http-door.ts';

/** Sign-ups, and hashes alone, that are timed in a round, one after the other in turns. */
const each = 25;
const password = 'correct horse battery staple';

type Round = { readonly signup: number; readonly hash: number };

/** What a sign-up takes until its caller has the answer, beside the slow hash alone. Nobody tells the story meanwhile. */
export const signupPart: Part = async ({ servers, rounds, say }) => {
  const door = await startHttpDoor(servers, 'bench-nobody', 0);
  const hashes = new SlowHashes();
  const measured: Round[] = [];
  try {
    for (let number = -1; number < rounds; number += 1) {
      const taken = { signup: [] as number[], hash: [] as number[] };
      for (let n = 0; n < each; n += 1) {
        taken.hash.push(await timed(() => hashes.hash(password)));
        taken.signup.push(await timed(() => signUp(door.url, `bench-${number}-${n}`)));
      }
      // The first round opens connections and has code compiled.
      if (number < 0) continue;
      measured.push({ signup: percentile(taken.signup, 0.5), hash: percentile(taken.hash, 0.5) });
      say(`signup: round ${number + 1} of ${rounds}`);
    }
  } finally {
    await door.stop();
  }
  return { figures: figuresOf(measured), raw: measured };
};

function figuresOf(measured: readonly Round[]): Figure[] {
  const of = (kind: keyof Round): number => median(measured.map((round) => round[kind]));
  const beyond = median(measured.map(({ signup, hash }) => signup - hash));
  return [
    { name: 'argon2id alone, p50', unit: 'ms', value: of('hash') },
    { name: 'a sign-up answered, p50', unit: 'ms', value: of('signup') },
    { name: 'a sign-up beyond its argon2id, p50', unit: 'ms', value: beyond, target: { atMost: 30 } },
  ];
}

async function signUp(door: string, key: string): Promise<void> {
  const answer = await fetch(`${door}/v1/signups`, {
    method: 'POST',
    headers: { authorization: 'Bearer local-alpha', 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify({ email: `${key}@example.com`, password }),
  });
  const text = await answer.text();
  if (answer.status !== 202) throw new Error(`A sign-up was answered with ${answer.status}: ${text}`);
}

/** Milliseconds. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}
