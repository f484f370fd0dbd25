import type { FastifyRequest } from 'fastify';
import type { OperationRecord } from '../../../activities/stores/postgres/ledger/read-operation.ts';
import type { RequestOf } from '../../../workflows/operation/flow.ts';
import type { uploadFlow } from '../../../workflows/upload.flow.ts';
import type { Uploads } from '../../uploads/uploads.ts';
import { originOf } from '../protocol/sound-target.ts';

/** What an operation offers its caller while it is open: an upload that waits for bytes says where to send them. */
export type Offer = (record: OperationRecord, request: FastifyRequest) => Promise<Readonly<Record<string, unknown>>>;

/** Signed anew for each answer: signed URLs are never stored. */
export function offerTransfer(uploads: Uploads, publicUrl: string | undefined): Offer {
  return async (record, request) => {
    if (record.flow !== 'upload') return {};
    const base = publicUrl ?? originOf(request);
    // Whoever announces again may have learnt that the other way suits them better.
    const { transfer: wanted } = (request.body ?? {}) as Pick<RequestOf<typeof uploadFlow>, 'transfer'>;
    const transfer = await uploads.plan(record, base, wanted);
    return transfer === undefined ? {} : { transfer };
  };
}
