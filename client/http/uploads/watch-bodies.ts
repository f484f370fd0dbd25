import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { TransferMethod } from '../../../activities/stores/postgres/uploads/read-transfer.ts';
import { chunkId } from '../../../workflows/operation/key.ts';
import type { ClientClass } from '../../gateway/call.ts';
import { operationId } from '../documented/schemas.ts';
import { clientClass } from '../protocol/client-class.ts';
import { contentLength } from '../protocol/content-length.ts';

/**
 * What became of one body. `cut`: its connection broke. `late`: its bytes came too slowly, or none came. `refused`: its
 * sender has to change something. `failed`: we or the object store could not take it.
 */
type Ended = 'kept' | 'cut' | 'late' | 'refused' | 'failed';

/** One attempt to bring bytes. */
export type WatchedBody = { readonly method: TransferMethod; readonly ended: Ended } & ClientClass;

/**
 * Names the chunk of each body that is gone on with, and counts what becomes of it, by the kind of client: networks that
 * fail are so told apart from bytes that are wrong.
 */
export function watchBodies(app: FastifyInstance, method: TransferMethod, count: (body: WatchedBody) => void): void {
  const ended = (request: FastifyRequest, what: Ended, reply?: FastifyReply): void => {
    if (!brings(request, method)) return;
    const client = clientClass(request.headers);
    count({ method, ended: what, ...client });
    const about = { chunk: reply?.getHeader('hapax-chunk-id') ?? chunkOf(request), method, ended: what, ...client };
    if (what === 'kept') request.log.debug(about, 'A body of an upload was kept');
    else request.log.info(about, 'A body of an upload was not kept as a whole');
  };
  app.addHook('onSend', (request, reply, payload, next) => {
    const chunk = chunkOf(request);
    if (chunk !== undefined && reply.statusCode !== 404) reply.header('hapax-chunk-id', chunk);
    next(null, payload);
  });
  app.addHook('onRequestAbort', (request, next) => {
    ended(request, 'cut');
    next();
  });
  app.addHook('onResponse', (request, reply, next) => {
    ended(request, endOf(reply.statusCode), reply);
    next();
  });
}

function endOf(status: number): Ended {
  if (status < 400) return 'kept';
  if (status === 408) return 'late';
  return status < 500 ? 'refused' : 'failed';
}

/** Creations bring bytes in some of the protocols, and need not. */
function brings({ method, headers }: FastifyRequest, way: TransferMethod): boolean {
  if (method === 'PUT' || method === 'PATCH') return true;
  return method === 'POST' && way !== 'door' && contentLength(headers) !== 0;
}

function chunkOf({ method, params, headers }: FastifyRequest): string | undefined {
  const { id } = params as { readonly id?: string };
  const { 'upload-offset': offset } = headers;
  // What a caller writes into a path may not be fit for a header.
  if (id === undefined || !operationId.safeParse(id).success) return undefined;
  if (method === 'PUT') return chunkId(id, 0);
  return method === 'PATCH' && /^\d{1,15}$/.test(String(offset)) ? chunkId(id, Number(offset)) : undefined;
}
