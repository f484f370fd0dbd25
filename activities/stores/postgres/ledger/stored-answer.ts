import type { Row } from '../database.ts';

/** What the ledger has of an answer: nothing yet, the bytes, or only that there was one. */
export type StoredAnswer =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'kept';
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: Buffer;
      readonly expiresAt: Date;
      /** From now on, by PostgreSQL's clock. Milliseconds. */
      readonly expiresIn: number;
      readonly flowVersion: number;
    }
  | { readonly kind: 'forgotten' };

export const answerColumns = `flow_version, answer_status, answer_headers, answer_body, answer_expires_at,
  extract(epoch from answer_expires_at - now()) * 1000 as answer_expires_in, settled_at`;

export function storedAnswer(row: Row): StoredAnswer {
  if (row.settled_at === null) return { kind: 'none' };
  const expiresIn = Number(row.answer_expires_in);
  if (row.answer_body === null || expiresIn <= 0) return { kind: 'forgotten' };
  return {
    kind: 'kept',
    status: row.answer_status as number,
    headers: row.answer_headers as Record<string, string>,
    body: row.answer_body as Buffer,
    expiresAt: row.answer_expires_at as Date,
    expiresIn,
    flowVersion: row.flow_version as number,
  };
}
