import type pg from 'pg';
import { comment, plain, wrapped } from './plain-sql.ts';
import { functionsOf } from './schema-functions.ts';
import { tablesOf } from './schema-tables.ts';

const header = `-- The ledger as it stands when all migrations have been run: its live tables, and the live text of each function.
-- Generated from a migrated database by \`npm run schema\`, and compared with one by a test. It is for reading: what is run
-- is in migrations/, with the reasons.
--
-- Tables and functions stand in the order in which they were first made. \`the_owner\` is the login that migrates.`;

const rest = `
select string_agg('grant ' || lower(privilege_type) || ' on schema hapax to ' || grantee::regrole || ';', e'\\n'
         order by grantee::regrole::text, privilege_type) as text
from pg_namespace n, aclexplode(n.nspacl) where nspname = 'hapax' and grantee <> nspowner`;

const types = `
select t.typname as name, obj_description(t.oid, 'pg_type') as says,
  (select string_agg(quote_literal(enumlabel), ', ' order by enumsortorder) from pg_enum where enumtypid = t.oid) as labels,
  (select string_agg('  ' || attname || ' ' || format_type(atttypid, atttypmod), e',\\n' order by attnum)
   from pg_attribute where attrelid = t.typrelid and attnum > 0) as fields
from pg_type t left join pg_class c on c.oid = t.typrelid
where t.typnamespace = 'hapax'::regnamespace and (t.typtype = 'e' or c.relkind = 'c') order by t.oid`;

type Type = { name: string; says: string | null; labels: string | null; fields: string | null };

/** What stands in the schema of a migrated database, as SQL to read. */
export async function schemaText(client: pg.Client): Promise<string> {
  // Names are then written with their schema, whoever asks.
  await client.query('set search_path = pg_catalog');
  const { rows: grants } = await client.query<{ text: string }>(rest);
  const { rows: made } = await client.query<Type>(types);
  const parts = [
    header,
    `create schema hapax;\n${grants[0]?.text ?? ''}`,
    title('Types'),
    ...made.map(({ name, says, labels, fields }) =>
      [
        ...comment(says),
        labels === null
          ? `create type hapax.${name} as (\n${plain(fields ?? '')}\n);`
          : `create type hapax.${name} as enum (${labels});`,
      ].join('\n'),
    ),
    title('Tables and views'),
    ...(await tablesOf(client)).map(wrapped),
    title('Functions'),
    ...(await functionsOf(client)),
  ];
  return `${parts.join('\n\n')}\n`;
}

function title(name: string): string {
  return `-- ${name} ${'─'.repeat(116 - name.length)}`;
}
