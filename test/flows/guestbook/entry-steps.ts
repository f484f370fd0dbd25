import { eq } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { boolean, pgSchema, text } from 'drizzle-orm/pg-core';
import { type Generated, Kysely, PostgresDialect } from 'kysely';
import { rowStep } from '../../../activities/engine/row-step.ts';
import { Refused } from '../../../activities/stores/outcomes/refused.ts';
import type { RowClient } from '../../../activities/stores/postgres/callback/row-client.ts';

type EntrySteps = {
  sign: { input: { readonly page: string; readonly words: string }; result: { readonly line: number } };
  stamp: { input: null; result: null };
};

/** The lines of a page. */
export const lines = 3;

/** The table that a world needs for its guestbook. */
export const entryTable = `
create schema guestbook;
create table guestbook.entry (
  operation_id text primary key,
  tenant       text not null,
  page         text not null,
  words        text not null constraint words_are_kind check (words <> 'boo'),
  stamped      boolean not null default false
);
alter table guestbook.entry enable row level security;
create policy tenant_only on guestbook.entry to hapax_app using (tenant = hapax.current_tenant());
grant usage on schema guestbook to hapax_app;
grant select, insert, update, delete on guestbook.entry to hapax_app;`;

type Entry = { operation_id: string; tenant: string; page: string; words: string; stamped: Generated<boolean> };

/** Kysely on the ledger's transaction. */
export function guestbookIn(tx: RowClient): Kysely<{ 'guestbook.entry': Entry }> {
  return new Kysely({ dialect: new PostgresDialect({ pool: tx }) });
}

/** Signs, looks how many have signed, and takes the signature back by saying no. */
export const sign = rowStep<EntrySteps['sign']['input'], EntrySteps['sign']['result']>({
  async run(tx, { page, words }, { operation, tenant }) {
    const db = guestbookIn(tx);
    await db.insertInto('guestbook.entry').values({ operation_id: operation, tenant, page, words }).execute();
    const { entries } = await db
      .selectFrom('guestbook.entry')
      .select(({ fn }) => fn.countAll<string>().as('entries'))
      .where('page', '=', page)
      .executeTakeFirstOrThrow();
    const line = Number(entries);
    if (line > lines) throw new Refused({ code: 'page-full', detail: `Page ${page} has ${lines} lines, all written.` });
    return { line };
  },
  async undo(tx, _result, { operation }) {
    await guestbookIn(tx).deleteFrom('guestbook.entry').where('operation_id', '=', operation).execute();
  },
});

const entry = pgSchema('guestbook').table('entry', {
  operation: text('operation_id').primaryKey(),
  stamped: boolean().notNull(),
});

export const stamp = rowStep<EntrySteps['stamp']['input'], EntrySteps['stamp']['result']>({
  async run(tx, _input, { operation }) {
    const stamped = await drizzle(tx)
      .update(entry)
      .set({ stamped: true })
      .where(eq(entry.operation, operation))
      .returning();
    if (stamped.length !== 1) throw new Error(`The entry of ${operation} is not there: it cannot be stamped`);
    return null;
  },
});
