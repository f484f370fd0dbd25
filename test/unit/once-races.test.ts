import fc, { type Scheduler } from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Layer } from '../../client/dedup/layer.ts';
import { memoryLayer } from '../../client/dedup/memory-layer.ts';
import { once } from '../../client/dedup/once.ts';
import { StillRunning } from '../../client/dedup/still-running.ts';
import { minutes } from '../../workflows/operation/duration.ts';

/** Histories that are tried of each property. */
const numRuns = 100;

/** Questions of one process in a history. Calls that wait for something that never comes ask for ever. */
const mostQuestions = 2_000;

/** A layer as one process reaches it: every question and every answer takes a time of its own, which the scheduler draws. */
function overNetwork(layer: Layer, schedule: Scheduler, isAway: (question: string) => boolean = () => false): Layer {
  let questions = 0;
  const slow = <A extends unknown[], R>(name: string, ask: (...asked: A) => Promise<R>) => {
    return async (...asked: A): Promise<R> => {
      questions += 1;
      if (questions > mostQuestions) throw new Error(`${name}: these calls never end`);
      await schedule.schedule(Promise.resolve(), `${name} goes`);
      if (isAway(name)) throw new Error(`${name}: nobody answers`);
      const answer = await ask(...asked);
      await schedule.schedule(Promise.resolve(), `${name} comes back`);
      return answer;
    };
  };
  return {
    place: layer.place,
    afterCrash: layer.afterCrash,
    look: slow('look', layer.look),
    copy: slow('copy', layer.copy),
    claim: slow('claim', layer.claim),
    renew: slow('renew', layer.renew),
    settle: slow('settle', layer.settle),
    release: slow('release', layer.release),
    changed: slow('changed', async () => undefined),
  };
}

type Call = { readonly process: number; readonly throws: boolean };
const calls = fc.array(fc.record({ process: fc.nat({ max: 2 }), throws: fc.boolean() }), {
  minLength: 1,
  maxLength: 4,
});

/** What happened when all calls had ended. */
type History = { readonly outcomes: PromiseSettledResult<unknown>[]; readonly done: number; readonly atOnce: number };

async function told(schedule: Scheduler, made: readonly Call[], processes: readonly Layer[][]): Promise<History> {
  let [done, running, atOnce] = [0, 0, 0];
  const run = (throws: boolean) => async () => {
    running += 1;
    atOnce = Math.max(atOnce, running);
    await schedule.schedule(Promise.resolve(), 'run');
    running -= 1;
    if (throws) throw new Error('it did not work');
    done += 1;
    return `answer ${done}`;
  };
  const all = Promise.allSettled(
    made.map(({ process, throws }) =>
      once('id', run(throws), { layers: processes[process] as Layer[], window: minutes(5), wait: minutes(5) }),
    ),
  );
  await schedule.waitFor(all);
  return { outcomes: await all, done, atOnce };
}

function expectOnce({ outcomes, done, atOnce }: History, made: readonly Call[]): void {
  const answers = outcomes.filter((outcome) => outcome.status === 'fulfilled').map(({ value }) => value);
  const failed = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => String(reason));
  expect(atOnce).toBeLessThanOrEqual(1);
  // Where any call would have succeeded, one has, and whoever has not failed itself has its answer.
  expect(done).toBe(made.every(({ throws }) => throws) ? 0 : 1);
  expect(new Set(answers)).toEqual(new Set(done === 0 ? [] : ['answer 1']));
  expect(failed.filter((reason) => reason !== 'Error: it did not work')).toEqual([]);
  expect(failed.length).toBeLessThanOrEqual(made.filter(({ throws }) => throws).length);
}

const tried = (property: (schedule: Scheduler, made: readonly Call[], away: readonly boolean[]) => Promise<void>) =>
  fc.assert(
    fc.asyncProperty(fc.scheduler(), calls, fc.infiniteStream(fc.boolean()), async (schedule, made, away) => {
      const drawn = Array.from({ length: 200 }, () => away.next().value as boolean);
      await property(schedule, made, drawn);
    }),
    { numRuns },
  );

describe('whatever the order in which messages arrive', () => {
  it('one call at a time runs, and one answer is given, with a layer that processes share', async () => {
    await tried(async (schedule, made) => {
      const shared = memoryLayer();
      const processes = [0, 1, 2].map(() => [overNetwork(shared, schedule)]);
      expectOnce(await told(schedule, made, processes), made);
    });
  });

  it('the same holds with faster layers before it, which are away at any moment', async () => {
    await tried(async (schedule, made, away) => {
      const [cache, deciding] = [memoryLayer(), memoryLayer()];
      let asked = 0;
      const isAway = () => away[(asked += 1) % away.length] as boolean;
      const processes = [0, 1, 2].map(() => [
        memoryLayer(),
        overNetwork(cache, schedule, isAway),
        overNetwork(deciding, schedule),
      ]);
      expectOnce(await told(schedule, made, processes), made);
    });
  });

  it('a faster layer that others have taken the id in decides nothing', async () => {
    await tried(async (schedule, made) => {
      const [cache, deciding] = [memoryLayer(), memoryLayer()];
      await cache.claim(JSON.stringify(['id']), { lease: minutes(1), window: minutes(5) });
      const processes = [0, 1, 2].map(() => [overNetwork(cache, schedule), overNetwork(deciding, schedule)]);
      expectOnce(await told(schedule, made, processes), made);
    });
  });
});

describe('a call that was taken over while it ran', () => {
  /** Another process takes the id over just before the first answer is kept, and gives it up where it is asked to. */
  function takenOver() {
    const shared = memoryLayer();
    const terms = { lease: minutes(1), window: minutes(5) };
    let stranger: { readonly token: string } | undefined;
    const layer: Layer = {
      ...shared,
      async settle(id, hold, answer, window) {
        if (stranger === undefined) {
          await shared.release(id, hold);
          const claimed = await shared.claim(id, terms);
          stranger = claimed.kind === 'ours' ? claimed.hold : expect.unreachable();
        }
        return await shared.settle(id, hold, answer, window);
      },
      changed: async () => undefined,
    };
    const givesUp = async () => {
      if (stranger !== undefined) await shared.release('id', stranger);
    };
    return { layer, givesUp };
  }
  const patient = { window: minutes(5), wait: minutes(5) };

  it('does not run again, and nobody else does', async () => {
    await tried(async (schedule, made) => {
      const shared = memoryLayer();
      let isForgotten = false;
      const forgetful: Layer = {
        ...shared,
        async settle(id, hold, answer, window) {
          // As where the row is gone while its holder runs.
          if (!isForgotten) await shared.release(id, hold);
          isForgotten = true;
          return await shared.settle(id, hold, answer, window);
        },
      };
      const ofOneProcess = made.map((call) => ({ ...call, process: 0 }));
      expectOnce(await told(schedule, ofOneProcess, [[overNetwork(forgetful, schedule)]]), ofOneProcess);
    });
  });

  it('settles what it has in hand when the other one has failed, and so does who waits beside it', async () => {
    const { layer, givesUp } = takenOver();
    let looks = 0;
    const layers: Layer[] = [
      {
        ...layer,
        // The first to wait is the one that ran; the one beside it finds the id free before.
        async changed() {
          looks += 1;
          if (looks === 1) await new Promise((resolve) => setTimeout(resolve, 50));
          else await givesUp();
        },
      },
    ];
    const first = once('id', () => 'in hand', { layers, ...patient });
    const beside = once<string>('id', () => expect.unreachable(), { layers, ...patient });
    expect(await Promise.all([first, beside])).toEqual(['in hand', 'in hand']);
  });

  it('is told that it has run, where the other one has not ended within the wait', async () => {
    const { layer } = takenOver();
    const options = { layers: [layer], ...patient, wait: 0 };
    const fault = await once('id', () => 'in hand', options).catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(StillRunning);
    expect(fault).toMatchObject({ hasRun: true });
    expect(String(fault)).toMatch(/This call has run, .* was not kept\.$/);
    await expect(once('id', () => expect.unreachable(), options)).rejects.toMatchObject({ hasRun: false });
  });
});
