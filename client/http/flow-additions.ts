import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { OperationRecord } from '../../activities/stores/postgres/ledger/read-operation.ts';
import type { AnyFlow } from '../../workflows/operation/flow.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';
import type { Role } from '../../workflows/operation/role.ts';

/** What a flow adds to the HTTP API besides the POST that every flow has. */
export type FlowAdditions = {
  readonly flow: AnyFlow;
  /** The least role that may begin its operations; by default `caller`. */
  readonly role?: Role;
  /** Whether its POST waits for an end that may come soon, where the flow itself answers with the state. */
  readonly waits?: boolean;
  /** The flow's own routes, in a scope of their own: their parsers and hooks affect no other route. */
  readonly routes?: (app: FastifyInstance) => Promise<void> | void;
  /** Routes that know their callers by other means than a token, each in a scope of its own. */
  readonly openRoutes?: (app: FastifyInstance) => void;
  /**
   * What the answer about an open operation says in addition, such as where to send bytes. Made for each answer. A member that
   * belongs there, and could not be found out now, is undefined: who follows the operation gets it a little later.
   */
  readonly offer?: (record: OperationRecord, request: FastifyRequest) => Promise<Offered>;
  /** The schema of what `offer` returns. Every member is optional. */
  readonly offered?: z.ZodRawShape;
  /** The fields of its request by which its operations can be found. */
  readonly searched?: z.ZodRawShape;
  /**
   * Why no operation of the flow may begin now, if there is a reason. Operations that have begun go on, and replays are
   * still answered.
   */
  readonly refusal?: () => Promise<Refusal | undefined>;
  /**
   * Whether this caller may ask for that at all: before any claim, and before any replay.
   * @throws HttpProblem where they may not
   */
  readonly mayAsk?: (body: Readonly<Record<string, unknown>>, request: FastifyRequest) => Promise<void>;
};

type Offered = Readonly<Record<string, unknown>>;

/** The additions of all flows, for the routes that serve every flow. */
export class Additions {
  readonly #byFlow: ReadonlyMap<string, FlowAdditions>;

  /** @throws TypeError when a flow is listed twice */
  constructor(additions: readonly FlowAdditions[]) {
    this.#byFlow = new Map(additions.map((one) => [one.flow.name, one]));
    if (this.#byFlow.size < additions.length)
      throw new TypeError('The additions of a flow are listed twice: list each flow once in client/http/additions.ts.');
  }

  async offer(record: OperationRecord, request: FastifyRequest): Promise<Offered> {
    return (await this.#byFlow.get(record.flow)?.offer?.(record, request)) ?? {};
  }

  async refusal({ name }: AnyFlow): Promise<Refusal | undefined> {
    return await this.#byFlow.get(name)?.refusal?.();
  }

  /** @throws HttpProblem where the caller may not ask for that */
  async expectAllowed(
    { name }: AnyFlow,
    body: Readonly<Record<string, unknown>>,
    request: FastifyRequest,
  ): Promise<void> {
    await this.#byFlow.get(name)?.mayAsk?.(body, request);
  }

  /** Whether there are callers who may not ask. */
  mayRefuse({ name }: AnyFlow): boolean {
    return this.#byFlow.get(name)?.mayAsk !== undefined;
  }

  /** Whether the flow's POST waits for its end. */
  waits({ name, answers }: AnyFlow): boolean {
    return answers === 'outcome' || this.#byFlow.get(name)?.waits === true;
  }

  role({ name }: AnyFlow): Role {
    return this.#byFlow.get(name)?.role ?? 'caller';
  }

  offered({ name }: AnyFlow): z.ZodRawShape {
    return this.#byFlow.get(name)?.offered ?? {};
  }

  searched({ name }: AnyFlow): z.ZodRawShape {
    return this.#byFlow.get(name)?.searched ?? {};
  }

  /** What any operation may offer. */
  get everything(): z.ZodRawShape {
    return Object.assign({}, ...[...this.#byFlow.values()].map(({ offered = {} }) => offered)) as z.ZodRawShape;
  }

  async registerOpen(app: FastifyInstance): Promise<void> {
    for (const { openRoutes } of this.#byFlow.values())
      if (openRoutes !== undefined) await app.register(async (scope) => openRoutes(scope));
  }

  async register(app: FastifyInstance): Promise<void> {
    for (const { routes } of this.#byFlow.values())
      if (routes !== undefined) await app.register(async (scope) => await routes(scope));
  }
}
