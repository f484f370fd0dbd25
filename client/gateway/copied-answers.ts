import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { RedisConnection } from '../../activities/stores/redis/redis-connection.ts';
import { operationId, workflowId } from '../../workflows/operation/key.ts';
import { settledStates } from '../../workflows/operation/state.ts';
import type { Asked } from './asked.ts';
import type { Started } from './claim-and-start.ts';
import type { KeptAnswer, SettledReply } from './reply.ts';

/** What became of a question: `ignored` is a copy that does not verify, `away` a Redis that gave no answer. */
export type CopyLook = 'hit' | 'miss' | 'ignored' | 'away';

type CopiedParts = {
  readonly redis: Pick<RedisConnection, 'get' | 'set'>;
  /** Signs copies. Only those who may read the ledger know it. */
  readonly secret: string;
  readonly count?: ((look: CopyLook) => void) | undefined;
};

const content = z.object({
  id: z.string(),
  fingerprint: z.string(),
  fingerprintVersion: z.int(),
  requestId: z.string(),
  state: z.enum(settledStates),
  flowVersion: z.int(),
  status: z.int(),
  headers: z.record(z.string(), z.string()),
  body: z.base64(),
  expiresAt: z.coerce.date(),
  /** The end of the copy itself: Redis may keep it longer, or give it back from a snapshot. */
  copiedUntil: z.number(),
});

/**
 * Copies of settled answers in Redis, for flows that declare them. A copy only answers what the ledger would have answered:
 * it is signed together with its name, which is made of the epoch and the operation's scope, and whatever does not verify
 * is ignored. So a Redis that is away, empty, old or hostile costs time and nothing else.
 */
export class CopiedAnswers {
  readonly #parts: CopiedParts;

  constructor(parts: CopiedParts) {
    this.#parts = parts;
  }

  /**
   * @param epoch the newest that is known
   * @returns what the ledger's row would have said; whether it is this very request is still to be compared
   */
  async find(asked: Asked, epoch: number): Promise<Started | undefined> {
    if (asked.flow.copies === undefined) return undefined;
    const name = this.#name(asked, epoch);
    let stored: string | undefined;
    try {
      stored = await this.#parts.redis.get(name);
    } catch {
      this.#parts.count?.('away');
      return undefined;
    }
    const copy = stored === undefined ? undefined : this.#verified(asked, name, stored);
    this.#parts.count?.(copy !== undefined ? 'hit' : stored === undefined ? 'miss' : 'ignored');
    return copy;
  }

  /**
   * Keeps a copy for as long as the flow declares, and no longer than the answer. Nobody waits for it.
   * @param epoch from before the answer was read
   */
  keep(asked: Asked, { id, originalRequest, answer, state }: SettledReply, epoch: number): void {
    const { copies } = asked.flow;
    if (copies === undefined) return;
    const lifetime = Math.min(copies.lifetime, answer.expiresIn);
    if (lifetime < 1) return;
    const name = this.#name(asked, epoch);
    const { status, headers, expiresAt, flowVersion } = answer;
    const text = JSON.stringify({
      id,
      fingerprint: asked.digest,
      fingerprintVersion: asked.digestVersion,
      requestId: originalRequest,
      state,
      flowVersion,
      status,
      headers,
      body: answer.body.toString('base64'),
      expiresAt,
      copiedUntil: Date.now() + lifetime,
    } satisfies z.input<typeof content>);
    this.#parts.redis.set(name, `${this.#signature(name, text)}.${text}`, lifetime).catch(() => undefined);
  }

  #verified(asked: Asked, name: string, stored: string): Started | undefined {
    const end = stored.indexOf('.');
    const text = stored.slice(end + 1);
    const [given, expected] = [stored.slice(0, end), this.#signature(name, text)].map((one) => Buffer.from(one));
    if (given?.length !== expected?.length || !timingSafeEqual(given as Buffer, expected as Buffer)) return undefined;
    const { data: copy } = content.safeParse(json(text));
    if (copy === undefined || copy.id !== operationId(asked.scope, 1)) return undefined;
    const now = Date.now();
    // The ledger knows how an answer of another version of the flow is given.
    if (copy.copiedUntil <= now || copy.expiresAt.getTime() <= now || copy.flowVersion !== asked.flow.version)
      return undefined;
    return startedBy(asked, copy);
  }

  /** Nothing in it can be read or guessed without the secret, and each epoch has names of its own. */
  #name({ name }: Asked, epoch: number): string {
    return `hapax:answer:${this.#mac(JSON.stringify(['name', epoch, name]))}`;
  }

  #signature(name: string, text: string): string {
    return this.#mac(JSON.stringify(['copy', name, text]));
  }

  #mac(text: string): string {
    return createHmac('sha256', this.#parts.secret).update(text).digest('base64url');
  }
}

/** A copy in the form of the row that it was made from. */
function startedBy({ scope }: Asked, copy: z.output<typeof content>): Started {
  const { status, headers, body, expiresAt, flowVersion, copiedUntil: _, ...row } = copy;
  const answer: KeptAnswer = {
    ...{ kind: 'kept', status, headers, body: Buffer.from(body, 'base64'), expiresAt, flowVersion },
    expiresIn: expiresAt.getTime() - Date.now(),
  };
  return {
    ...{ kind: 'claimed', created: false, started: true, renewable: false, generation: 1, deadline: null, ageMs: 0 },
    ...{ ...row, environment: scope.environment, answer, workflowId: workflowId(scope, 1) },
  };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
