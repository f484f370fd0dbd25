import type { FastifyReply, FastifyRequest } from 'fastify';
import type { OperationRecord } from '../../../../activities/stores/postgres/ledger/read-operation.ts';
import type { FailureCode } from '../../../../workflows/operation/failures.ts';
import type { Refusal } from '../../../../workflows/operation/outcome.ts';
import type { Gateway } from '../../../gateway.ts';
import type { Appended } from '../../../uploads/appends.ts';
import type { Standing } from '../../../uploads/standing.ts';
import { HttpProblem } from '../../problems/http-problem.ts';
import { mismatchingDigest } from '../../protocol/digest-fields.ts';
import { completeness, type Dialect, limits } from './resumable-headers.ts';

const standard = (name: string): string => `https://iana.org/assignments/http-problem-types#${name}`;

/** The problem types of the draft, and of the digest fields. */
const types: Partial<Record<FailureCode, string>> = {
  'offset-mismatch': standard('mismatching-upload-offset'),
  'upload-exceeded': standard('inconsistent-upload-length'),
  'chunk-digest-mismatch': mismatchingDigest,
};

/** Gone: the same key begins a new upload. */
const statuses: Partial<Record<FailureCode, number>> = {
  cancelled: 410,
  expired: 410,
  'bytes-unexpected': 410,
  'bytes-missing': 410,
};

export function resumableProblem({ code, detail, more }: Refusal, operation: string): HttpProblem {
  return new HttpProblem(code, detail, more, { operation, status: statuses[code], type: types[code] });
}

/** A proxy names itself by one of these. */
const proxied = ['via', 'forwarded', 'x-forwarded-for', 'x-real-ip'] as const;

/**
 * Says early where the upload can be gone on with, and later how far it has come. Only who asked understands it. Proxies
 * need not: nginx 1.22 takes a 104 of an HTTP/1.1 server for the answer, and its caller waits for a body for ever.
 */
export function interim(reply: FastifyReply, { told, version }: Dialect, headers: Record<string, string>): void {
  const { raw } = reply;
  if (proxied.some((name) => raw.req.headers[name] !== undefined)) return;
  if (!told || raw.req.httpVersion === '1.0' || raw.headersSent || raw.destroyed) return;
  raw.writeInformation(104, {
    'Upload-Draft-Interop-Version': String(version),
    'Upload-Resumable': '?1',
    ...headers,
  });
}

export function tellStanding(reply: FastifyReply, dialect: Dialect, { offset, complete }: Standing): FastifyReply {
  return reply.headers({ 'upload-offset': offset, ...completeness(dialect, complete), ...limits(dialect) });
}

type Asking = {
  readonly dialect: Dialect;
  readonly gateway: Gateway;
  readonly request: FastifyRequest;
  /** Where the caller says that its bytes begin. */
  readonly offset: number;
  /** For a body that does not complete the upload. */
  readonly status: 201 | 204;
};

/** What became of a body. The answer to the last one says what has become of the file. */
export async function answerAppended(reply: FastifyReply, record: OperationRecord, appended: Appended, asking: Asking) {
  const { dialect, gateway, offset, status } = asking;
  switch (appended.kind) {
    case 'appended': {
      tellStanding(reply, dialect, appended);
      if (!appended.complete) return reply.code(status).send();
      const now = (await gateway.status(record.tenant, record.id)) ?? record;
      const result = now.state === 'succeeded' && now.result !== null ? { result: now.result } : {};
      return reply.code(200).send({ id: record.id, state: now.state, size: appended.size, ...result });
    }
    case 'elsewhere':
      tellStanding(reply, dialect, appended);
      throw resumableProblem(
        {
          code: 'offset-mismatch',
          detail: `The next byte of the upload is ${appended.offset}: send the bytes from there on.`,
          more: { 'expected-offset': appended.offset, 'provided-offset': offset },
        },
        record.id,
      );
    case 'otherwise':
      if (appended.complete) throw completedUpload(record.id);
      throw new HttpProblem(
        'request-invalid',
        `Upload-Length: the upload has ${appended.size ?? 'another number of'} bytes, as it was told before.`,
        { header: 'Upload-Length' },
        { operation: record.id, type: standard('inconsistent-upload-length') },
      );
    case 'refused':
      if (appended.refusal.code === 'upload-exceeded' && appended.refusal.more?.offset === appended.refusal.more?.size)
        throw completedUpload(record.id);
      throw resumableProblem(appended.refusal, record.id);
    case 'cut':
      return reply.hijack();
  }
}

/** For bytes that come after the last. */
function completedUpload(operation: string): HttpProblem {
  return new HttpProblem(
    'request-invalid',
    'The upload is complete: it takes no bytes any more.',
    {},
    { operation, type: standard('completed-upload') },
  );
}
