import { seconds } from '../../workflows/operation/duration.ts';

/**
 * How much work the workers are given at once. By Little's law what is in hand ends within `operations / capacity`, so the
 * limit is the capacity times the wait that is still good for a caller.
 */
export type Pace = Learned &
  (
    | {
        /** A burst may queue: it will have ended before its callers give up. */
        readonly kind: 'calm';
        /** Since when the queue has been longer than it may be for long. */
        readonly longSince: number | undefined;
      }
    | {
        /** A queue that stays adds waiting and no throughput: it is kept short until nothing has been refused for a while. */
        readonly kind: 'crowded';
        readonly refusedAt: number;
      }
  );

type Learned = {
  /** Operations that the workers end in a second, as far as is known. */
  readonly capacity: number;
  /** Whether that was seen of workers that had enough to do. */
  readonly proven: boolean;
  /** Operations that have ended in a second of late, however much there was to do. */
  readonly rate: number;
  /** The least time that an operation has taken of late. Milliseconds. */
  readonly alone: number | undefined;
  /** What an operation usually takes while there is no queue. Milliseconds. */
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
      /** Operations that have ended since the last look; undefined where they may have been missed. */
      readonly ended: number | undefined;
      readonly waited: number;
    }
  | { readonly kind: 'ended'; readonly took: number }
  | { readonly kind: 'refused'; readonly at: number };

/** So few never wait long: a worker runs 40 stories at once. They are taken even while no worker is there. */
export const alwaysTaken = 20;
/**
 * What is assumed of workers that have not been busy: on two cores they end some three operations in the time that one
 * usually takes, and a quiet machine was seen to end 60 a second.
 */
const endedInOneTime = 3;
const assumed = { least: 5, untried: 15, most: 60 };
/** A third of the 10 s that a caller waits by default: the estimate may be wrong by as much. */
const burstWait = seconds(3.5);
/** Long enough to keep every worker busy between two looks, short beside a burst's. */
const standingWait = 800;
/** Work whose steps wait for others takes long without any queue: its limit must let it, up to half of a caller's wait. */
const timesAlone = 3;
const longestWait = seconds(5);
/** How long a queue may stay before it is taken for one that stays. */
const standsAfter = seconds(2);
/** How long nothing is refused before a burst may queue again. */
const calmAfter = seconds(5);
/** The capacity follows what is seen with this time constant: workers that are gone for two seconds keep half of it. */
const follows = seconds(3);
/** The least time drifts up by so much a second, so that an old best is forgotten in some ten minutes. */
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

/** Only workers that had enough to do show what they can; the others show what they can at least. */
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

/** The usual time follows some ten operations. */
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
