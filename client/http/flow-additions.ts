import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { OperationRecord } from '../../activities/stores/postgres/ledger/read-operation.ts';
import type { AnyFlow } from '../../workflows/operation/flow.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';

/** What a flow adds to the HTTP API besides the POST that every flow has. */
export type FlowAdditions = {
  readonly flow: AnyFlow;
  /** Routes of its own, in a scope of their own: parsers and hooks that they add reach nobody else. */
  readonly routes?: (app: FastifyInstance) => void;
  /** What an open operation tells its caller besides, such as where to send bytes. Made anew for each answer. */
  readonly offer?: (record: OperationRecord, request: FastifyRequest) => Promise<Offered>;
  /** The form of what is offered; every member is optional. */
  readonly offered?: z.ZodRawShape;
  /** Why no operation of the flow may begin now, if there is a reason. What has begun goes on, and replays are given. */
  readonly refusal?: () => Promise<Refusal | undefined>;
};

type Offered = Readonly<Record<string, unknown>>;

/** The additions of all flows, as routes that serve every flow ask for them. */
export class Additions {
  readonly #byFlow: ReadonlyMap<string, FlowAdditions>;

  /** @throws TypeError where a flow is there twice */
  constructor(additions: readonly FlowAdditions[]) {
    this.#byFlow = new Map(additions.map((one) => [one.flow.name, one]));
    if (this.#byFlow.size < additions.length)
      throw new TypeError('A flow has its additions to the HTTP API twice: see client/http/additions.ts.');
  }

  async offer(record: OperationRecord, request: FastifyRequest): Promise<Offered> {
    return (await this.#byFlow.get(record.flow)?.offer?.(record, request)) ?? {};
  }

  async refusal({ name }: AnyFlow): Promise<Refusal | undefined> {
    return await this.#byFlow.get(name)?.refusal?.();
  }

  offered({ name }: AnyFlow): z.ZodRawShape {
    return this.#byFlow.get(name)?.offered ?? {};
  }

  /** What any operation may offer. */
  get everything(): z.ZodRawShape {
    return Object.assign({}, ...[...this.#byFlow.values()].map(({ offered = {} }) => offered)) as z.ZodRawShape;
  }

  async register(app: FastifyInstance): Promise<void> {
    for (const { routes } of this.#byFlow.values())
      if (routes !== undefined) await app.register(async (scope) => routes(scope));
  }
}
