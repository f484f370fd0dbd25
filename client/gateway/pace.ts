import { seconds } from '../../workflows/operation/duration.ts';

/**
 * How much work the workers get at once. By Little's law the work in hand finishes within `operations / capacity`, so
 * the limit is the capacity times the wait that a caller still accepts.
 */
export type Pace = Learned &
  (
    | {
        /** A burst may queue, because it will have finished before its callers give up. */
        readonly kind: 'calm';
        /** Since when the queue has been too long to last. Milliseconds since 1970. */
        readonly longSince: number | undefined;
      }
    | {
        /**
         * A lasting queue adds waiting and no throughput, so it is kept short until nothing has been refused for a
         * while.
         */
        readonly kind: 'crowded';
        readonly refusedAt: number;
      }
  );

type Learned = {
  /** Operations that the workers finish in a second, as far as we know. */
  readonly capacity: number;
  /** Whether that was measured while the workers had enough to do. */
  readonly proven: boolean;
  /** Operations that have recently finished in a second, however much there was to do. */
  readonly rate: number;
  /** The shortest time that an operation has taken recently. Milliseconds. */
  readonly alone: number | undefined;
  /** What an operation usually takes without a queue. Milliseconds. */
  readonly usual: number | undefined;
  /** How long operations have waited for a worker. Milliseconds. */
  readonly waited: number;
};

export type PaceEvent =
  | {
      readonly kind: 'looked';
      readonly at: number;
      /** Since the last look. Milliseconds. */
      readonly elapsed: number;
      /** The fewest operations in hand since the last look, and how many there are now. */
      readonly fewest: number;
      readonly inHand: number;
      /** Operations that have settled since the last look; undefined when some may have been missed. */
      readonly ended: number | undefined;
      readonly waited: number;
    }
  | { readonly kind: 'ended'; readonly took: number }
  | { readonly kind: 'refused'; readonly at: number };

/** This few operations never wait long: a worker runs 40 stories at once. They are admitted even while no worker runs. */
export const alwaysTaken = 20;
/**
 * What we assume of workers that have not been busy. On two cores they finish about three operations in the time that
 * one usually takes, and an idle machine was seen to finish 60 a second.
 */
const endedInOneTime = 3;
const assumed = { least: 5, untried: 15, most: 60 };
/** A third of the 10 s that a caller waits by default, because the estimate may be wrong by that factor. */
const burstWait = seconds(3.5);
/** Long enough to keep every worker busy between two looks, and short compared with a burst. Milliseconds. */
const standingWait = 800;
/**
 * An operation whose steps wait for other systems takes long even without a queue. The limit has to allow that, up to
 * half of a caller's wait.
 */
const timesAlone = 3;
const longestWait = seconds(5);
/** How long a queue may last before it counts as a lasting one. */
const standsAfter = seconds(2);
/** How long no operation must have been refused before a burst may queue again. */
const calmAfter = seconds(5);
/**
 * The time constant with which the capacity follows the measurements: after two seconds without workers, half of it is
 * left.
 */
const follows = seconds(3);
/** The shortest time grows by this fraction each second, so that an old best is forgotten in about ten minutes. */
const forgets = 0.001;

export const untried: Pace = {
  kind: 'calm',
  longSince: undefined,
  capacity: assumed.untried,
  proven: false,
  rate: 0,
  alone: undefined,
  usual: undefined,
  waited: 0,
};

/** How many operations may be in hand. */
export function limit(pace: Pace): number {
  const wait = Math.max(pace.kind === 'calm' ? burstWait : standingWait, ownTime(pace));
  return pace.waited > wait ? alwaysTaken : within(pace, wait);
}

export function advance(pace: Pace, event: PaceEvent): Pace {
  switch (event.kind) {
    case 'ended':
      return { ...pace, ...took(pace, event.took) };
    case 'refused':
      return { ...learned(pace), kind: 'crowded', refusedAt: event.at };
    case 'looked':
      return judged(looked(pace, event), event);
  }
}

type Looked = Extract<PaceEvent, { kind: 'looked' }>;

/** Only workers that had enough to do show their full capacity. Others show a lower bound. */
function looked(pace: Pace, { elapsed, fewest, ended, waited }: Looked): Pace {
  const alone = pace.alone === undefined ? undefined : pace.alone * (1 + (forgets * elapsed) / 1_000);
  if (ended === undefined || elapsed === 0) return { ...pace, alone, waited };
  const seen = (ended * 1_000) / elapsed;
  const weight = 1 - Math.exp(-elapsed / follows);
  const rate = pace.rate + (seen - pace.rate) * weight;
  if (fewest >= alwaysTaken / 2)
    return { ...pace, alone, waited, rate, proven: true, capacity: pace.capacity + (seen - pace.capacity) * weight };
  return { ...pace, alone, waited, rate, capacity: Math.max(pace.proven ? pace.capacity : 0, rate, assumedOf(pace)) };
}

function assumedOf({ usual }: Pace): number {
  if (usual === undefined) return assumed.untried;
  return Math.max(assumed.least, Math.min(assumed.most, (endedInOneTime * 1_000) / usual));
}

/** The usual time is averaged over about ten operations. */
function took({ kind, alone = Infinity, usual }: Pace, time: number): Partial<Learned> {
  const shortest = { alone: Math.min(alone, time) };
  if (usual !== undefined && kind === 'crowded') return shortest;
  return { ...shortest, usual: usual === undefined ? time : usual + (time - usual) / 10 };
}

function judged(pace: Pace, { at, inHand }: Looked): Pace {
  const short = inHand <= within(pace, Math.max(standingWait, ownTime(pace)));
  switch (pace.kind) {
    case 'calm': {
      const longSince = short ? undefined : (pace.longSince ?? at);
      if (longSince === undefined || at - longSince < standsAfter) return { ...pace, longSince };
      return { ...learned(pace), kind: 'crowded', refusedAt: at };
    }
    case 'crowded':
      return short && at - pace.refusedAt >= calmAfter
        ? { ...learned(pace), kind: 'calm', longSince: undefined }
        : pace;
  }
}

function learned({ capacity, proven, rate, alone, usual, waited }: Pace): Learned {
  return { capacity, proven, rate, alone, usual, waited };
}

function ownTime({ alone = 0 }: Pace): number {
  return Math.min(alone * timesAlone, longestWait);
}

function within({ capacity }: Pace, wait: number): number {
  return Math.max(alwaysTaken, Math.floor((capacity * wait) / 1_000));
}
