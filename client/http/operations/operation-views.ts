import type { FastifyRequest } from 'fastify';
import type { Database } from '../../../activities/stores/postgres/database.ts';
import { listOperations, type OperationRecord } from '../../../activities/stores/postgres/ledger/read-operation.ts';
import type { AnyFlow } from '../../../workflows/operation/flow.ts';
import { mayActAs } from '../../../workflows/operation/role.ts';
import { isSettled } from '../../../workflows/operation/state.ts';
import type { Gateway } from '../../gateway.ts';
import type { Additions } from '../flow-additions.ts';
import { HttpProblem } from '../problems/http-problem.ts';
import { readCursor, writeCursor } from '../protocol/page-cursor.ts';
import { preferredWait } from '../protocol/prefer-wait.ts';
import { describeOperation } from './describe-operation.ts';
import type { PageQuery } from './page-query.ts';
import { isOwn, shownOperation, shownSubject } from './shown-operations.ts';

type Parts = {
  readonly gateway: Gateway;
  readonly database: Database;
  readonly flows: readonly AnyFlow[];
  readonly additions: Additions;
};

type Chosen = {
  readonly flow?: string | undefined;
  /** Members that the operation's request has. */
  readonly request?: Readonly<Record<string, unknown>> | undefined;
};

/** Operations as callers see them: one, or a page of them. */
export class OperationViews {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * One operation, with what its caller may do next. `Prefer: wait` waits for its end.
   * @param flow the only flow that it may be of; by default any
   */
  async look(request: FastifyRequest, id: string, flow?: AnyFlow) {
    const { gateway } = this.#parts;
    let record = await shownOperation(gateway, request.caller, id);
    if (flow !== undefined && record.flow !== flow.name)
      throw new HttpProblem('not-found', `There is no such ${flow.name}.`);
    const wait = preferredWait(request.headers.prefer, 0);
    if (wait > 0 && !isSettled(record.state)) {
      await gateway.settled(record.tenant, record.id, wait);
      record = await shownOperation(gateway, request.caller, record.id);
    }
    return await this.#offering(request, record);
  }

  /** One operation as it is now, whatever its caller prefers. */
  async now(request: FastifyRequest, id: string) {
    return await this.#offering(request, await shownOperation(this.#parts.gateway, request.caller, id));
  }

  /**
   * A page of operations, newest first. If they are asked for by a key, each says what its caller may do next.
   * @returns `next` while older operations may follow
   */
  async page(request: FastifyRequest, query: PageQuery, chosen: Chosen) {
    const { limit, after, state, trouble, key } = query;
    const grouped = state === 'open' || state === 'settled';
    const records = await listOperations(this.#parts.database, {
      ...request.caller,
      subject: shownSubject(request.caller),
      ...chosen,
      key,
      ...(grouped ? { settled: state === 'settled' } : { state }),
      ...(trouble === undefined ? {} : { trouble: trouble === 'true' }),
      before: after === undefined ? undefined : readCursor(after),
      limit,
    });
    const last = records.length === limit ? records.at(-1) : undefined;
    const shown = records.map(async (record) =>
      key === undefined ? this.#described(request, record) : await this.#offering(request, record),
    );
    return {
      operations: await Promise.all(shown),
      ...(last === undefined ? {} : { next: writeCursor(last) }),
    };
  }

  #described(request: FastifyRequest, record: OperationRecord) {
    return describeOperation(flowOf(this.#parts.flows, record), record, request.caller);
  }

  /** A signed transfer lets its holder write, so only callers that may send the bytes get one. */
  async #offering(request: FastifyRequest, record: OperationRecord) {
    const acts = mayActAs(request.caller.role, 'caller') && isOwn(request.caller, record);
    return {
      ...this.#described(request, record),
      ...(acts ? await this.#parts.additions.offer(record, request) : {}),
    };
  }
}

/** @returns undefined when this build does not know the operation's flow */
export function flowOf(flows: readonly AnyFlow[], { flow }: OperationRecord): AnyFlow | undefined {
  return flows.find(({ name }) => name === flow);
}
