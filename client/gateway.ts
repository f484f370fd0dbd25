import { arrive } from '../activities/stores/postgres/ledger/arrive.ts';
import { type OperationRecord, readOperation } from '../activities/stores/postgres/ledger/read-operation.ts';
import { type CancelDecision, requestCancel } from '../activities/stores/postgres/ledger/request-cancel.ts';
import {
  recordResolution,
  type Resolution,
  type ResolveDecision,
} from '../activities/stores/postgres/ledger/resolutions/record-resolution.ts';
import type { AnyFlow, AwaitStep, EvidenceOf } from '../workflows/operation/flow.ts';
import { samenessOf } from '../workflows/operation/sameness.ts';
import { budgets } from '../workflows/operation/budget.ts';
import { type AwaitDeclaration, placementOf, type StepDeclaration } from '../workflows/operation/step-declaration.ts';
import { erasedFingerprintVersion } from '../workflows/operation/fingerprint.ts';
import type { SettledState } from '../workflows/operation/state.ts';
import { type Asked, asked, sameIntent } from './gateway/asked.ts';
import { type Call, CallRefused, sound, unknownClient } from './gateway/call.ts';
import { claimOrCopy, type Found } from './gateway/claim-or-copy.ts';
import { ClaimTurns } from './gateway/claim-turns.ts';
import { differingFields } from './gateway/differing-fields.ts';
import type { GatewayParts } from './gateway/gateway-parts.ts';
import { keyOfContent } from './gateway/key-of-content.ts';
import { LiveClaims } from './gateway/live-claims.ts';
import type { Outcome } from './gateway/outcomes.ts';
import { RememberedAnswers } from './gateway/remembered-answers.ts';
import type { Decision, How, Layer, Reply } from './gateway/reply.ts';
import { type ArrivedAs, soundEvidence } from './gateway/sound-evidence.ts';
import { type ServiceAnswer, told } from './gateway/service-answer.ts';
import { openState, type Standing } from './gateway/standing.ts';
import type { Signal } from './gateway/workflows.ts';

/** How a request reached an operation that is still open. */
type Joining = {
  readonly how: How;
  readonly follows: boolean;
  /** Milliseconds. */
  readonly wait: number;
  readonly named: { readonly id: string; readonly workflowId: string; readonly originalRequest: string };
};

/**
 * The entry point for backend services in the same trust zone, and the only code that talks to Temporal's client. A
 * request that is sent twice takes effect once. The layers in front of the ledger only make the second answer faster.
 */
export class Gateway {
  readonly #parts: GatewayParts & { readonly turns: ClaimTurns };
  readonly #remembered: RememberedAnswers;
  readonly #live = new LiveClaims();

  constructor(parts: GatewayParts) {
    this.#parts = { ...parts, turns: new ClaimTurns() };
    this.#remembered = new RememberedAnswers(parts);
  }

  /**
   * Starts the operation or attaches to it, and returns at once.
   * @throws CallRefused when the key or the request does not match its type or schema; nothing was accepted
   * @throws KeyMisused when the key belongs to another request, or its answer has expired
   * @throws Overloaded when a new operation could not finish in time; retry with the same key after `retryAfter` seconds
   * @throws LedgerFault `unavailable` when nothing was accepted, or we cannot tell; retry with the same key
   */
  async start<F extends AnyFlow>(flow: F, call: Call<F>): Promise<ServiceAnswer<F>> {
    return told(await this.ask(flow, sound(flow, call), 0));
  }

  /**
   * Like `start`, and waits for the outcome.
   * @param wait at most, in milliseconds; 30 s by default
   * @example await gateway.run(checkoutFlow, { tenant: 'acme', environment: 'live', subject: 'shop', key, request })
   */
  async run<F extends AnyFlow>(flow: F, call: Call<F>, wait = 30_000): Promise<ServiceAnswer<F>> {
    return told(await this.ask(flow, sound(flow, call), wait));
  }

  /** The fields that an operation's own request has otherwise. */
  differing(flow: AnyFlow, record: OperationRecord, request: Readonly<Record<string, unknown>>): readonly string[] {
    return differingFields(this.#parts, flow, record, request);
  }

  /** @returns the operation as the ledger has it, or undefined when the tenant has no such operation */
  async status(tenant: string, id: string): Promise<OperationRecord | undefined> {
    return await readOperation(this.#parts.database, tenant, id);
  }

  /** The key for a request that has none, where the flow declares a content key: equal content within the window has one. */
  async keyOfContent<F extends AnyFlow>(flow: F, call: Omit<Call<F>, 'key'>): Promise<string> {
    return await keyOfContent(this.#parts, flow, call);
  }

  /** Waits until the operation settles, at most `wait` milliseconds. */
  async settled(tenant: string, id: string, wait: number): Promise<void> {
    await this.#parts.outcomes.settled(tenant, id, wait, true);
  }

  /** Requests a cancel. The ledger decides whether it is still in time. */
  async cancel(record: OperationRecord): Promise<CancelDecision> {
    const decision = await requestCancel(this.#parts.database, record.tenant, record.id);
    if (decision === 'requested') await this.signal(record, 'cancelRequested');
    return decision;
  }

  /**
   * Records an operator's resolution of a step in trouble. The ledger decides whether it may be recorded. The next try
   * of the step decides whether it applies.
   */
  async resolve(record: OperationRecord, declared: StepDeclaration, resolution: Resolution): Promise<ResolveDecision> {
    const decision = await recordResolution(this.#parts.database, record.tenant, record.id, resolution, {
      ours: declared.effect === 'transaction',
      optional: declared.optional !== undefined,
      longestTry: budgets[placementOf(declared)].far.longestTry,
    });
    if (decision === 'resolved') await this.signal(record, 'resolved');
    return decision;
  }

  /**
   * Records that what a step waits for has come from outside, whether or not the story has reached that step.
   * Repeatable: the first evidence counts, the same evidence again gets the same answer, and different evidence is kept
   * as a stray.
   * @param evenDue whether the evidence still counts after the deadline, until the wait is closed
   * @throws LedgerFault `unavailable` when we cannot tell whether it was recorded; send it again to find out
   */
  async arrive<F extends AnyFlow, N extends AwaitStep<F>>(
    flow: F,
    record: OperationRecord,
    step: N,
    evidence: EvidenceOf<F, N>,
    evenDue = true,
  ): Promise<ArrivedAs<EvidenceOf<F, N>>> {
    if (record.flow !== flow.name)
      throw new CallRefused('request-invalid', `${record.id} is an operation of ${record.flow}, not of ${flow.name}.`);
    const declared = flow.steps[step] as AwaitDeclaration;
    const checked = soundEvidence(declared, evidence);
    const arrived = await arrive(this.#parts.database, record, {
      step,
      position: Object.keys(flow.steps).indexOf(step),
      evidence: checked,
      sameness: samenessOf(checked, declared.same),
      evenDue,
    });
    // The row is committed before the signal, so that a story that wakes always finds it.
    if (arrived.kind === 'arrived') void this.signal(record, 'wake');
    return arrived as ArrivedAs<EvidenceOf<F, N>>;
  }

  /** Signals the story that its ledger row has changed. Upkeep repeats signals that were lost. */
  async signal(record: OperationRecord, signal: Signal): Promise<void> {
    const { workflows, log } = this.#parts;
    await workflows
      .signal({ scope: { ...record, subject: record.keySubject }, generation: record.generation }, signal)
      .catch((error: unknown) => log(`The signal ${signal} did not reach ${record.id}`, error));
  }

  /** Handles one request, waits at most `wait` milliseconds, and returns what the HTTP API needs to answer it. */
  async ask<F extends AnyFlow>(flow: F, call: Call<F>, wait: number): Promise<Reply> {
    const request = asked(flow, call, this.#parts.seals);
    const remembered = this.#remembered.find(request);
    if (remembered !== undefined) {
      const { replay, same } = remembered;
      this.#seen(request, replay.id, same ? 'replayed' : 'refused', 'memory');
      return same ? replay : { kind: 'key-reused', id: replay.id };
    }
    const { claimed: claiming, follows } = this.#live.join(request, () => claimOrCopy(this.#parts, request));
    const claimed = await claiming;
    if (claimed.kind === 'claimed') return await this.#claimed(request, claimed, follows, wait);
    this.#parts.count?.(flow.name, claimed.kind, 'process');
    return claimed;
  }

  /**
   * @param follows whether a concurrent identical request made this claim; the row may then belong to a different
   *   request
   */
  async #claimed(request: Asked, claimed: Found, follows: boolean, wait: number): Promise<Reply> {
    const { id, state, answer } = claimed;
    const named = { id, workflowId: claimed.workflowId, originalRequest: claimed.requestId };
    if (claimed.fingerprintVersion === erasedFingerprintVersion) {
      this.#seen(request, id, 'refused', 'ledger');
      return { kind: 'erased', ...named };
    }
    if (!sameIntent(request, claimed)) {
      this.#seen(request, id, 'refused', claimed.from);
      return { kind: 'key-reused', id };
    }
    switch (answer.kind) {
      case 'forgotten':
        return { kind: 'key-expired', ...named };
      case 'kept': {
        // Only an operation without a workflow has ended where it was claimed.
        const how = claimed.created && !follows ? 'created' : 'replayed';
        this.#seen(request, id, how, claimed.from);
        const settled = state as SettledState;
        this.#remembered.keep(request, claimed, answer, settled);
        return { kind: 'settled', how, answer, state: settled, ...named };
      }
      case 'none': {
        const how = claimed.created && !follows ? 'created' : 'joined';
        const late = how === 'joined' ? this.#parts.attempts?.count(request.name, Date.now()) : undefined;
        if (late !== undefined) {
          if (!follows) this.#live.forget(request.name);
          this.#seen(request, id, 'refused', follows ? 'process' : 'ledger');
          return { kind: 'asked-too-often', retryAfter: Math.ceil(late / 1_000), ...named };
        }
        this.#seen(request, id, how, follows ? 'process' : 'ledger');
        return await this.#open(request, claimed, { how, follows, wait, named });
      }
    }
  }

  /** Waits until the open operation settles, or until it waits for something from outside: the caller may have to act. */
  async #open(request: Asked, claimed: Found, { how, follows, wait, named }: Joining): Promise<Reply> {
    const { id, state, deadline } = claimed;
    const { tenant } = request.call;
    const patience = state === 'waiting' ? 0 : wait;
    const outcome = await this.#outcome(tenant, id, patience, how).finally(() => this.#live.forget(request.name));
    if (outcome === undefined) {
      // An operation that another request claimed earlier has moved on since, and may be in doubt by now.
      const asClaimed = { state: openState(state), trouble: null };
      const now = patience === 0 && !follows ? asClaimed : await this.#now(tenant, id, asClaimed);
      return { kind: 'open', how, ...now, deadline, ...named };
    }
    const { answer, state: end, renewable } = outcome;
    if (!renewable) this.#remembered.keep(request, claimed, answer, end);
    return { kind: 'settled', how, answer, state: end, renewable, ...named };
  }

  async #outcome(tenant: string, id: string, wait: number, how: How): Promise<Outcome | undefined> {
    return wait === 0 ? undefined : await this.#parts.outcomes.settled(tenant, id, wait, how !== 'created', true);
  }

  /**
   * The state after a wait, since the caller should learn of doubt and trouble. If the operation has settled in the
   * meantime, the caller gets that with its next request.
   */
  async #now(tenant: string, id: string, before: Standing): Promise<Standing> {
    const record = await this.status(tenant, id).catch(() => undefined);
    return record === undefined || record.settledAt !== null
      ? before
      : { state: record.state, trouble: record.trouble };
  }

  #seen({ flow, call }: Asked, operation: string, decision: Decision, layer: Layer): void {
    const { tenant, requestId = '', userAgent = null, client = unknownClient } = call;
    this.#parts.count?.(flow.name, decision, layer);
    this.#parts.seen.add({ tenant, operation, requestId, decision, layer, userAgent, ...client });
  }
}
