import { z } from 'zod';
import { operationId } from '../documented/schemas.ts';

/** The last thing of a page. The next page begins after it. */
type PageCursor = { readonly createdAt: string; readonly id: string };

export function writeCursor({ createdAt, id }: { readonly createdAt: Date; readonly id: string }): string {
  return Buffer.from(`${createdAt.toISOString()} ${id}`).toString('base64url');
}

/** 54 bytes in base64url: a time of 24, a space, and an id of 29. */
export const cursorPattern = /^[A-Za-z0-9_-]{72}$/;

/** @returns undefined when the cursor was tampered with: `writeCursor` did not write it, or PostgreSQL has no such year */
export function readCursor(after: string, idOf: z.ZodType<string> = operationId): PageCursor | undefined {
  const match = /^(2\d{3}-[\dT:.-]{18}Z) (.+)$/.exec(Buffer.from(after, 'base64url').toString());
  const [, createdAt = '', id = ''] = match ?? [];
  const date = new Date(createdAt);
  const real = !Number.isNaN(date.getTime()) && date.toISOString() === createdAt;
  return real && idOf.safeParse(id).success ? { createdAt, id } : undefined;
}

const nextUnchanged = 'give the `next` of the previous page, unchanged';

/** The schema of `after`, for a list of things with such ids. */
export function cursorOf(idOf: z.ZodType<string>) {
  return z
    .string()
    .regex(cursorPattern, { error: nextUnchanged, abort: true })
    .refine((cursor) => readCursor(cursor, idOf) !== undefined, nextUnchanged)
    .describe('`next` of the previous page');
}
