import { LRUCache } from 'lru-cache';
import type { WorkInHand } from '../../activities/stores/postgres/ledger/work-in-hand.ts';
import { minutes, seconds } from '../../workflows/operation/duration.ts';
import { fairShare } from './fair-share.ts';
import { advance, limit, type Pace, type PaceEvent, untried } from './pace.ts';
import { RetryTimes } from './retry-times.ts';
import { Tally } from './tally.ts';

type AdmissionParts = {
  /** Counts the operations that workers have in hand, over all processes. */
  readonly look: () => Promise<WorkInHand>;
  /**
   * Calls back for each operation that settles, whichever process began it.
   * @returns a function that says whether every settled operation is heard now
   */
  readonly hear: (callback: (ended: { readonly id: string; readonly tenant: string }) => void) => () => boolean;
  readonly log: (message: string, error: unknown) => void;
};

type Ruling =
  | {
      readonly kind: 'admitted';
      /** Reports the result of the claim: the operation it created, if workers have that in hand now. */
      claimed(created: string | undefined): void;
    }
  /**
   * There is more work in hand than can finish in time.
   * @member retryAfter whole seconds until there should be room
   */
  | { readonly kind: 'overloaded'; readonly retryAfter: number };

/** Milliseconds. The count reads a small index and costs PostgreSQL 0.3 ms. */
const lookEvery = 500;
/** HTTP processes see each other's work only by looking. Each admits at most this many operations before it looks again. */
const admittedPerLook = 16;
/** After this long without a look PostgreSQL cannot be reached, and the claim itself will say so. */
const blindAfter = seconds(5);
/** This process's share of all settled operations is averaged over about ten looks, and never falls to zero. */
const ownFollows = 0.1;
const leastShare = 0.1;
/** A refused tenant is assumed to want more for this long. */
const wantsFor = seconds(3);
/**
 * Callers that come back at their given time may go this far above the limit. Newcomers would take their room
 * otherwise.
 */
const returners = 1.25;

/**
 * A caller that does not wait for the end, as of an upload, is content when the queue is worked off within a minute or
 * three: that is sixty times what others wait.
 */
const patient = 60;

/**
 * Decides whether a new operation may begin: only while the work in hand can be expected to finish within a caller's
 * wait. It judges by the open operations in the ledger, by how fast operations settle and by how long they wait for a
 * worker, without a query for each request. The HTTP processes roughly agree, because all of them read the same ledger
 * and hear the same notifications.
 */
export class Admission {
  readonly #parts: AdmissionParts;
  readonly #tally = new Tally();
  readonly #retries = new RetryTimes();
  readonly #whole: () => boolean;
  readonly #timer: NodeJS.Timeout;
  /** Operations that this process began, and callers that were given a time to come back. */
  readonly #begun = new LRUCache<string, number>({ max: 10_000 });
  readonly #promised = new LRUCache<string, number>({ max: 10_000, ttl: minutes(1) });
  readonly #wanting = new Map<string, number>();
  #pace: Pace = untried;
  #ended = 0;
  /** Settled operations that this process began. The other processes promise their callers room as well. */
  #own = 0;
  #ownShare = 1;
  /** How late this process's own timer runs: operations wait for the process too. Milliseconds. */
  #late = 0;
  #tickDue = Date.now() + lookEvery;
  #lookedAt = Date.now();
  #seenAt = 0;
  #admitted = 0;
  #looking: Promise<void> | undefined;
  readonly #first: Promise<void>;
  #well = true;

  constructor(parts: AdmissionParts) {
    this.#parts = parts;
    this.#whole = parts.hear((ended) => this.#heard(ended));
    this.#first = this.#look();
    this.#timer = setInterval(() => this.#tick(), lookEvery).unref();
  }

  /**
   * @param name the operation's name, which identifies a caller that comes back
   * @param waits whether the caller waits for the end; otherwise the work may queue
   */
  async ask(tenant: string, name: string, waits = true): Promise<Ruling> {
    if (this.#seenAt === 0) await this.#first;
    if (this.#admitted >= admittedPerLook / 2) void this.#look();
    while (this.#well && this.#admitted >= admittedPerLook) await this.#look();
    const at = Date.now();
    const promised = this.#promised.get(name);
    const returns = promised !== undefined && promised <= at;
    const allowed = limit(this.#pace) * (returns ? returners : 1) * (waits ? 1 : patient);
    const tally = this.#tally;
    // Below the limit there is room for every tenant.
    const share =
      tally.all < allowed
        ? allowed
        : fairShare(tenant, { limit: allowed, inHand: tally.counts, wanting: new Set(this.#wanting.keys()) });
    const blind = at - this.#seenAt > blindAfter;
    if (blind || tally.of(tenant) < share) return this.#admit(tenant, name, at);
    this.#wanting.set(tenant, at);
    this.#pace = advance(this.#pace, { kind: 'refused', at });
    const over = Math.max(0, tally.of(tenant) - share) + 1;
    const rate = this.#pace.capacity * this.#ownShare * Math.min(1, share / allowed);
    const turn = this.#retries.next(tenant, at, over, rate);
    this.#promised.set(name, turn);
    return { kind: 'overloaded', retryAfter: Math.max(1, Math.ceil((turn - at) / 1_000)) };
  }

  #admit(tenant: string, name: string, at: number): Ruling {
    this.#admitted += 1;
    this.#promised.delete(name);
    const claim = this.#tally.begin(tenant);
    return {
      kind: 'admitted',
      claimed: (created) => {
        claim(created !== undefined);
        if (created !== undefined) this.#begun.set(created, at);
        // A replay or a join began nothing, so it is no reason to look again.
        else this.#admitted = Math.max(0, this.#admitted - 1);
      },
    };
  }

  /**
   * For operators and monitoring: operations in hand, their limit, how many settle in a second, and whether any are
   * refused.
   */
  get state(): {
    readonly inHand: number;
    readonly limit: number;
    readonly capacity: number;
    readonly refusing: boolean;
  } {
    return {
      inHand: this.#tally.all,
      limit: limit(this.#pace),
      capacity: this.#pace.capacity,
      refusing: this.#wanting.size > 0,
    };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #heard({ id, tenant }: { readonly id: string; readonly tenant: string }): void {
    this.#ended += 1;
    this.#tally.end(tenant);
    const began = this.#begun.get(id);
    if (began === undefined) return;
    this.#begun.delete(id);
    this.#own += 1;
    this.#pace = advance(this.#pace, { kind: 'ended', took: Date.now() - began });
  }

  #tick(): void {
    const at = Date.now();
    this.#late = Math.max(0, at - this.#tickDue);
    this.#tickDue = at + lookEvery;
    for (const [tenant, refused] of this.#wanting) if (at - refused > wantsFor) this.#wanting.delete(tenant);
    this.#retries.forget(at);
    void this.#look();
  }

  /** Concurrent callers share one look. */
  async #look(): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined;
    });
    await this.#looking;
  }

  async #lookOnce(): Promise<void> {
    this.#admitted = 0;
    const counted = this.#tally.recount();
    try {
      const { operations, waited } = await this.#parts.look();
      const fewest = counted(operations);
      const at = Date.now();
      const event: PaceEvent = {
        kind: 'looked',
        at,
        elapsed: at - this.#lookedAt,
        fewest,
        inHand: this.#tally.all,
        ended: this.#whole() ? this.#ended : undefined,
        waited: Math.max(waited, this.#late),
      };
      this.#pace = advance(this.#pace, event);
      if (this.#ended > 0) this.#ownShare += (this.#own / this.#ended - this.#ownShare) * ownFollows;
      this.#ownShare = Math.max(this.#ownShare, leastShare);
      this.#ended = 0;
      this.#own = 0;
      this.#lookedAt = at;
      this.#seenAt = at;
      this.#well = true;
    } catch (error) {
      if (this.#well)
        this.#parts.log('The work in hand could not be counted; no operation is refused because of it', error);
      this.#well = false;
    }
  }
}
