import type { FastifyReply } from 'fastify';
import type { OperationRecord } from '../../../../activities/stores/postgres/ledger/read-operation.ts';
import type { FailureCode } from '../../../../workflows/operation/failures.ts';
import type { Refusal } from '../../../../workflows/operation/outcome.ts';
import { uploadFlow } from '../../../../workflows/upload.flow.ts';
import type { Appended } from '../../../uploads/appends.ts';
import type { Standing } from '../../../uploads/standing.ts';
import { HttpProblem } from '../../problems/http-problem.ts';

/** Where tus asks for another status than the failure table has. */
const statuses: Partial<Record<FailureCode, number>> = {
  // "Gone", so that a client begins anew with the same key (tus 1.0, Expiration, Termination).
  cancelled: 410,
  expired: 410,
  'bytes-unexpected': 410,
  'bytes-missing': 410,
  // "460 Checksum Mismatch" (tus 1.0, Checksum).
  'chunk-digest-mismatch': 460,
};

export function tusProblem({ code, detail, more }: Refusal, operation: string): HttpProblem {
  return new HttpProblem(code, detail, more, { operation, status: statuses[code] });
}

/** The wait goes on from each byte that comes. */
function expiresAt(): Date {
  return new Date(Date.now() + uploadFlow.steps.receive.patience);
}

export function tellStanding(reply: FastifyReply, { offset, complete }: Standing): FastifyReply {
  reply.header('upload-offset', offset);
  // A finished upload does not expire.
  return complete ? reply : reply.header('upload-expires', expiresAt().toUTCString());
}

/** What became of a body, as tus answers it. */
export function answerAppended(reply: FastifyReply, { id }: OperationRecord, appended: Appended, status: 201 | 204) {
  switch (appended.kind) {
    case 'appended':
      return tellStanding(reply.code(status), appended).send();
    case 'elsewhere':
      reply.header('upload-offset', appended.offset);
      throw tusProblem(
        {
          code: 'offset-mismatch',
          detail: `The next byte of the upload is ${appended.offset}: send the bytes from there on.`,
          more: { offset: appended.offset },
        },
        id,
      );
    case 'otherwise':
      throw tusProblem(
        {
          code: 'request-invalid',
          detail: `Upload-Length: the upload has ${appended.size ?? 'more'} bytes, as it was told before.`,
          more: { header: 'Upload-Length', size: appended.size },
        },
        id,
      );
    case 'refused':
      throw tusProblem(appended.refusal, id);
    case 'cut':
      return reply.hijack();
  }
}
