import type { Claimed } from '../activities/stores/postgres/ledger/claim.ts';
import { type OperationRecord, readOperation } from '../activities/stores/postgres/ledger/read-operation.ts';
import { type CancelDecision, requestCancel } from '../activities/stores/postgres/ledger/request-cancel.ts';
import {
  recordResolution,
  type Resolution,
  type ResolveDecision,
} from '../activities/stores/postgres/ledger/resolutions/record-resolution.ts';
import { fingerprint, fingerprintVersion } from '../workflows/operation/fingerprint.ts';
import type { AnyFlow } from '../workflows/operation/flow.ts';
import type { Scope } from '../workflows/operation/key.ts';
import { budgets } from '../workflows/operation/budget.ts';
import { placementOf, type StepDeclaration } from '../workflows/operation/step-declaration.ts';
import { isSettled, type OpenState, type OperationState, type SettledState } from '../workflows/operation/state.ts';
import type { Trouble } from '../workflows/operation/trouble.ts';
import { AnswerCache, scopeName } from './gateway/answer-cache.ts';
import type { Arrivals } from './gateway/arrivals.ts';
import { type Call, sound } from './gateway/call.ts';
import { type ClaimParts, claimAndStart, sameIntent, type Started } from './gateway/claim-and-start.ts';
import { ClaimTurns } from './gateway/claim-turns.ts';
import type { Outcomes } from './gateway/outcomes.ts';
import type { Decision, How, KeptAnswer, Layer, NotBegun, Reply } from './gateway/reply.ts';
import { type Told, told } from './gateway/told.ts';
import type { Signal } from './gateway/workflows.ts';

/** A shop's last hours at ten orders a second. */
const usualCacheEntries = 100_000;

/** Where an open operation stands. */
type Standing = { readonly state: OpenState; readonly trouble: Trouble | null };

type Live = { readonly fingerprint: string; readonly claimed: Promise<Started | NotBegun> };

export type GatewayParts = ClaimParts & {
  readonly outcomes: Outcomes;
  readonly arrivals: Arrivals;
  /** Settled answers kept in memory; 0 keeps none. */
  readonly cacheEntries?: number;
  /** Told of each request: what was decided, and which layer knew. */
  readonly count?: (flow: string, decision: Decision | NotBegun['kind'], layer: Layer) => void;
};

/**
 * The door for services in the same trust zone, and the only place that speaks to Temporal's client. Whatever is asked
 * twice happens once; layers in front of the ledger only make the second answer faster.
 */
export class Gateway {
  readonly #parts: GatewayParts;
  readonly #cache: AnswerCache;
  readonly #turns = new ClaimTurns();
  readonly #live = new Map<string, Live>();

  constructor(parts: GatewayParts) {
    this.#parts = parts;
    this.#cache = new AnswerCache(parts.cacheEntries ?? usualCacheEntries);
  }

  /**
   * Starts the operation or attaches to it, and returns at once.
   * @throws CallRefused when key or request are not what types and schema say; nothing was accepted
   * @throws KeyMisused when the key names another request, or its answer has expired
   * @throws Overloaded when it would be new and there is more work than ends in time; ask again after `retryAfter` seconds
   * @throws LedgerFault `unavailable`: nothing was accepted, or nobody knows; ask again with the same key
   */
  async start<F extends AnyFlow>(flow: F, call: Call<F>): Promise<Told<F>> {
    return told(await this.ask(flow, sound(flow, call), 0));
  }

  /** Like `start`, and waits for the outcome, at most `wait` milliseconds (default 30 s). */
  async run<F extends AnyFlow>(flow: F, call: Call<F>, wait = 30_000): Promise<Told<F>> {
    return told(await this.ask(flow, sound(flow, call), wait));
  }

  /** @returns undefined where the tenant has no such operation */
  async status(tenant: string, id: string): Promise<OperationRecord | undefined> {
    return await readOperation(this.#parts.database, tenant, id);
  }

  /** Waits until the operation settles, at most `wait` milliseconds. */
  async settled(tenant: string, id: string, wait: number): Promise<void> {
    await this.#parts.outcomes.settled(tenant, id, wait, true);
  }

  /** Asks for a cancel; the ledger decides whether it is still in time. */
  async cancel(record: OperationRecord): Promise<CancelDecision> {
    const decision = await requestCancel(this.#parts.database, record.tenant, record.id);
    if (decision === 'requested') await this.signal(record, 'cancelRequested');
    return decision;
  }

  /** Takes a person's word for a step in trouble. The ledger decides whether it may be given, the step's next try whether it holds. */
  async resolve(record: OperationRecord, declared: StepDeclaration, resolution: Resolution): Promise<ResolveDecision> {
    const decision = await recordResolution(this.#parts.database, record.tenant, record.id, resolution, {
      ours: declared.effect === 'transaction',
      optional: declared.optional !== undefined,
      longestTry: budgets[placementOf(declared)].far.longestTry,
    });
    if (decision === 'resolved') await this.signal(record, 'resolved');
    return decision;
  }

  /** Tells the story that its ledger has news. Lost signals are made up for by upkeep. */
  async signal(record: OperationRecord, signal: Signal): Promise<void> {
    const { workflows, log } = this.#parts;
    await workflows
      .signal({ scope: { ...record, subject: record.keySubject }, generation: record.generation }, signal)
      .catch((error: unknown) => log(`The signal ${signal} did not reach ${record.id}`, error));
  }

  /** The whole of a request, with what a door needs to answer it. */
  async ask<F extends AnyFlow>(flow: F, call: Call<F>, wait: number): Promise<Reply> {
    const scope: Scope = {
      tenant: call.tenant,
      environment: call.environment,
      subject: flow.keyScope === 'tenant' ? '' : call.subject,
      flow: flow.name,
      key: call.key,
    };
    const name = scopeName(scope);
    const digest = fingerprint(flow.name, flow.intent, call.request as Record<string, unknown>);
    const cached = this.#cache.get(name);
    if (
      cached !== undefined &&
      cached.fingerprintVersion === fingerprintVersion &&
      cached.replay.answer.flowVersion === flow.version
    ) {
      const same = cached.fingerprint === digest;
      this.#arrived(flow, call, cached.replay.id, same ? 'replayed' : 'refused', 'memory');
      return same ? cached.replay : { kind: 'key-reused' };
    }
    const live = this.#live.get(name);
    const follows = live !== undefined && live.fingerprint === digest;
    const claimed = await (follows ? live.claimed : this.#claim(flow, call, scope, name, digest));
    if (claimed.kind !== 'claimed') {
      this.#parts.count?.(flow.name, claimed.kind, 'process');
      return claimed;
    }
    const { id, state, answer } = claimed;
    const named = { id, workflowId: claimed.workflowId, originalRequest: claimed.requestId };
    // Who follows another asker of the same request may follow one who was refused: the row is somebody else's.
    if (!sameIntent(flow, call, claimed, digest)) {
      this.#arrived(flow, call, id, 'refused', 'ledger');
      return { kind: 'key-reused' };
    }
    if (answer.kind === 'forgotten') return { kind: 'key-expired', ...named };
    if (answer.kind === 'kept') {
      this.#arrived(flow, call, id, 'replayed', 'ledger');
      const settled = state as SettledState;
      this.#remember(name, claimed, digest, answer, settled);
      return { kind: 'settled', how: 'replayed', answer, state: settled, ...named };
    }
    const how = claimed.created && !follows ? 'created' : 'joined';
    this.#arrived(flow, call, id, how, follows ? 'process' : 'ledger');
    const outcome = await this.#outcome(call.tenant, claimed, how, wait, name);
    if (outcome === undefined) {
      // What another request claimed a while ago has gone on since, and may be in doubt by now.
      const asClaimed = { state: openState(state), trouble: null };
      const now = wait === 0 && !follows ? asClaimed : await this.#now(call.tenant, id, asClaimed);
      return { kind: 'open', how, ...now, deadline: claimed.deadline, ...named };
    }
    const { answer: settled, state: end, renewable } = outcome;
    if (!renewable) this.#remember(name, claimed, digest, settled, end);
    return { kind: 'settled', how, answer: settled, state: end, renewable, ...named };
  }

  async #outcome(tenant: string, claimed: Claimed, how: How, wait: number, name: string) {
    try {
      if (wait === 0) return undefined;
      return await this.#parts.outcomes.settled(tenant, claimed.id, wait, how !== 'created');
    } finally {
      this.#live.delete(name);
    }
  }

  /** After a wait: doubt and trouble are news to the caller. What settles just now is told when it is asked for. */
  async #now(tenant: string, id: string, before: Standing): Promise<Standing> {
    const record = await this.status(tenant, id).catch(() => undefined);
    return record === undefined || isSettled(record.state) ? before : { state: record.state, trouble: record.trouble };
  }

  #claim<F extends AnyFlow>(flow: F, call: Call<F>, scope: Scope, name: string, digest: string) {
    const claimed = claimAndStart({ ...this.#parts, turns: this.#turns }, flow, call, scope, digest);
    const live = { fingerprint: digest, claimed };
    if (!this.#live.has(name)) {
      this.#live.set(name, live);
      // Only what is open, and this request's own, is worth joining here; all else is answered by the cache or the ledger.
      const forget = (): void => {
        if (this.#live.get(name) === live) this.#live.delete(name);
      };
      claimed.then((row) => {
        if (row.kind !== 'claimed' || row.answer.kind !== 'none' || !sameIntent(flow, call, row, digest)) forget();
      }, forget);
    }
    return claimed;
  }

  #remember(
    name: string,
    claimed: Claimed & { workflowId: string },
    digest: string,
    answer: KeptAnswer,
    state: SettledState,
  ): void {
    if (claimed.generation !== 1 || claimed.renewable) return;
    const { id, requestId: originalRequest, workflowId } = claimed;
    const replay = { kind: 'settled', how: 'replayed', id, workflowId, originalRequest, answer, state } as const;
    this.#cache.put(name, { fingerprint: digest, fingerprintVersion, replay });
  }

  #arrived(flow: AnyFlow, call: Call, operation: string, decision: Decision, layer: Layer): void {
    const { tenant, requestId = '', userAgent = null } = call;
    this.#parts.count?.(flow.name, decision, layer);
    this.#parts.arrivals.add({ tenant, operation, requestId, decision, layer, userAgent });
  }
}

function openState(state: OperationState): OpenState {
  if (isSettled(state)) throw new Error(`An operation without an answer cannot be ${state}`);
  return state;
}
