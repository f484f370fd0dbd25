import { requestCancel } from '../../../activities/stores/postgres/ledger/request-cancel.ts';
import { arrive } from '../../../activities/stores/postgres/ledger/arrive.ts';
import { readOperation } from '../../../activities/stores/postgres/ledger/read-operation.ts';
import type { StoredAnswer } from '../../../activities/stores/postgres/ledger/stored-answer.ts';
import { LedgerFault } from '../../../activities/stores/postgres/ledger-fault.ts';
import { asked } from '../../../client/gateway/asked.ts';
import { type Call, sound } from '../../../client/gateway/call.ts';
import { claimAndStart } from '../../../client/gateway/claim-and-start.ts';
import { ClaimTurns } from '../../../client/gateway/claim-turns.ts';
import { checkoutFlow } from '../../../workflows/checkout.flow.ts';
import { milliseconds, seconds } from '../../../workflows/operation/duration.ts';
import type { AnyFlow } from '../../../workflows/operation/flow.ts';
import type { Scope } from '../../../workflows/operation/key.ts';
import { samenessOf } from '../../../workflows/operation/sameness.ts';
import type { ToldAnswer } from '../histories/order-faults.ts';
import type { SimulatedDatabase } from './simulated-database.ts';
import type { SimulatedWorkflows } from './simulated-workflows.ts';
import type { VirtualTime } from './virtual-time.ts';

/** How long a caller waits for an answer before it asks again, and then pauses. Milliseconds. */
const [patience, pause] = [seconds(10), milliseconds(150)];

/** Callers, and what takes the provider's news in: they come through the gateway's claim, and ask until they are told. */
export class Callers {
  readonly tenant: string;
  readonly #time: VirtualTime;
  readonly #database: SimulatedDatabase;
  readonly #workflows: SimulatedWorkflows;
  readonly #turns = new ClaimTurns();

  constructor(time: VirtualTime, database: SimulatedDatabase, workflows: SimulatedWorkflows, tenant: string) {
    this.#time = time;
    this.#database = database;
    this.#workflows = workflows;
    this.tenant = tenant;
  }

  /** Asks until there is an answer. */
  async ask(flow: AnyFlow, key: string, request: Record<string, unknown>, subject = 'default'): Promise<ToldAnswer> {
    for (;;) {
      const id = await this.#unlessAway(() => this.#claim(flow, key, request, subject));
      if (typeof id === 'object') return id;
      if (id !== undefined) {
        await this.#time.until(() => !this.#workflows.isRunning(id), patience);
        const record = await this.#unlessAway(() => readOperation(this.#database, this.tenant, id));
        if (record?.settledAt && record.answer.kind === 'kept') return toldBy(record.answer);
      }
      await this.#time.sleep(pause);
    }
  }

  /** Hands a piece of news in, until it is taken. */
  async tell(flow: AnyFlow, key: string, request: Record<string, unknown>): Promise<void> {
    while ((await this.#unlessAway(() => this.#claim(flow, key, request, 'source.stripe'))) === undefined)
      await this.#time.sleep(seconds(1));
  }

  /** The bank has decided about the payment of a checkout. */
  async bankDecided(id: string, payment: string): Promise<void> {
    const evidence = { paymentIntent: payment };
    const position = Object.keys(checkoutFlow.steps).indexOf('authenticate');
    const sameness = samenessOf(evidence, ['paymentIntent']);
    const arrived = await this.#unlessAway(() =>
      arrive(
        this.#database,
        { id, tenant: this.tenant },
        { step: 'authenticate', position, evidence, sameness, evenDue: true },
      ),
    );
    if (arrived?.kind === 'arrived') await this.#signal(id, 'wake');
  }

  /** Asks for a cancel once. */
  async cancel(id: string): Promise<void> {
    const decision = await this.#unlessAway(() => requestCancel(this.#database, this.tenant, id));
    if (decision === 'requested') await this.#signal(id, 'cancelRequested');
  }

  async #signal(id: string, signal: 'wake' | 'cancelRequested'): Promise<void> {
    const record = await this.#unlessAway(() => readOperation(this.#database, this.tenant, id));
    if (record === undefined) return;
    const scope: Scope = { ...record, subject: record.keySubject };
    await this.#workflows.signal({ scope, generation: record.generation }, signal);
  }

  /** @returns the answer, or the id of an operation that has none yet */
  async #claim(
    flow: AnyFlow,
    key: string,
    request: Record<string, unknown>,
    subject: string,
  ): Promise<ToldAnswer | string> {
    const parts = {
      database: this.#database,
      workflows: this.#workflows,
      turns: this.#turns,
      log: () => undefined,
    };
    const call: Call = { tenant: this.tenant, environment: 'test', subject, key, request, requestId: `request-${key}` };
    const claimed = await claimAndStart(parts, asked(flow, sound(flow, call)));
    if (claimed.kind !== 'claimed') throw new Error(`A call was not taken: ${claimed.kind}`);
    return claimed.answer.kind === 'kept' ? toldBy(claimed.answer) : claimed.id;
  }

  async #unlessAway<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof LedgerFault && error.code === 'unavailable') return undefined;
      throw error;
    }
  }
}

function toldBy({ status, body }: Extract<StoredAnswer, { kind: 'kept' }>): ToldAnswer {
  const text = body.toString();
  return { status, text, json: JSON.parse(text) };
}
