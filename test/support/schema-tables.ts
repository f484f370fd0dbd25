import type pg from 'pg';
import { comment, plain } from './plain-sql.ts';

const relations = `
select c.oid::int8 as oid, c.relname as name, c.relkind = 'v' as view, obj_description(c.oid, 'pg_class') as says,
  c.relrowsecurity as secured, c.relforcerowsecurity as forced, array_to_string(c.reloptions, ', ') as options,
  case when c.relkind = 'v' then pg_get_viewdef(c.oid, true) end as query
from pg_class c where c.relnamespace = 'hapax'::regnamespace and c.relkind in ('r', 'p', 'v') order by c.oid`;

const columns = `
select attname as name, format_type(atttypid, atttypmod) as type, attnotnull as required,
  attidentity = 'a' as counted, pg_get_expr(d.adbin, d.adrelid, true) as fallback, col_description(attrelid, attnum) as says
from pg_attribute a left join pg_attrdef d on (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
where attrelid = $1 and attnum > 0 and not attisdropped order by attnum`;

/** Without those that only say \`not null\`, which PostgreSQL keeps as constraints from 18 on. */
const constraints = `
select conname as name, pg_get_constraintdef(oid, true) as text from pg_constraint
where conrelid = $1 and contype in ('p', 'u', 'x', 'f', 'c') order by position(contype in 'puxfc'), conname`;

const indexes = `
select pg_get_indexdef(indexrelid) as text from pg_index
where indrelid = $1 and not exists (select from pg_constraint where conindid = indexrelid and conrelid = $1)
order by indexrelid`;

const triggers = `
select pg_get_triggerdef(oid, true) as text from pg_trigger where tgrelid = $1 and not tgisinternal order by tgname`;

const policies = `
select polname as name, polpermissive as permissive,
  case polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' end as command,
  (select string_agg(case when o = c.relowner then 'the_owner' when o = 0 then 'public' else o::regrole::text end, ', ' order by o::regrole::text)
   from unnest(polroles) o) as roles,
  pg_get_expr(polqual, polrelid, true) as visible, pg_get_expr(polwithcheck, polrelid, true) as checked
from pg_policy p join pg_class c on c.oid = polrelid where polrelid = $1 order by polpermissive, polname`;

const grants = `
select string_agg(lower(privilege_type) || coalesce(' (' || columns || ')', ''), ', '
    order by position(privilege_type in 'SELECT INSERT UPDATE DELETE')) as rights, grantee::regrole::text as role
from (
  select grantee, privilege_type, null as columns, relowner from pg_class, aclexplode(relacl) where oid = $1
  union all
  select grantee, privilege_type, string_agg(attname, ', ' order by attnum), relowner
  from pg_attribute join pg_class c on c.oid = attrelid, aclexplode(attacl) where attrelid = $1 group by 1, 2, 4
) given where grantee <> relowner group by grantee order by 2`;

type Relation = {
  readonly oid: string;
  readonly name: string;
  readonly view: boolean;
  readonly says: string | null;
  readonly secured: boolean;
  readonly forced: boolean;
  readonly options: string | null;
  readonly query: string | null;
};
type Column = {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly counted: boolean;
  readonly fallback: string | null;
  readonly says: string | null;
};
type Policy = {
  readonly name: string;
  readonly permissive: boolean;
  readonly command: string | null;
  readonly roles: string;
  readonly visible: string | null;
  readonly checked: string | null;
};

/** Each table or view with what belongs to it: one text each. */
export async function tablesOf(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<Relation>(relations);
  const texts: string[] = [];
  for (const relation of rows) texts.push(await textOf(client, relation));
  return texts;
}

async function textOf(client: pg.Client, relation: Relation): Promise<string> {
  const { oid, name, says, secured, forced } = relation;
  const of = async <R extends object>(query: string): Promise<R[]> => (await client.query<R>(query, [oid])).rows;
  const rights = await of<{ rights: string; role: string }>(grants);
  const given = rights.map(({ rights, role }) => `grant ${rights} on hapax.${name} to ${role};`);
  if (relation.view) {
    const options = relation.options === null ? '' : ` with (${relation.options})`;
    return [...comment(says), `create view hapax.${name}${options} as`, plain(relation.query ?? ''), ...given].join(
      '\n',
    );
  }
  const body = [
    ...columnLines(await of<Column>(columns)),
    ...(await of<{ name: string; text: string }>(constraints)).map(
      (one) => [`constraint ${one.name} ${plain(one.text)}`, null] as const,
    ),
  ];
  const lines = body.map(([text, note], n) => {
    const ended = n === body.length - 1 ? text : `${text},`;
    return `  ${ended}${note === null ? '' : ` -- ${note}`}`;
  });
  const security = [secured ? ['enable row level security'] : [], forced ? ['force row level security'] : []].flat();
  return [
    ...comment(says),
    `create table hapax.${name} (`,
    ...lines,
    ');',
    ...(await of<{ text: string }>(indexes)).map(({ text }) => `${created(text)};`),
    ...(await of<{ text: string }>(triggers)).map(({ text }) => `${created(text)};`),
    ...(security.length === 0 ? [] : [`alter table hapax.${name} ${security.join(', ')};`]),
    ...(await of<Policy>(policies)).map((policy) => policyText(name, policy)),
    ...given,
  ].join('\n');
}

function columnLines(all: readonly Column[]): (readonly [string, string | null])[] {
  const [widest, longest] = [widthOf(all.map(({ name }) => name)), widthOf(all.map(({ type }) => plain(type)))];
  return all.map(({ name, type, required, counted, fallback, says }) => {
    const more = [
      ...(required ? ['not null'] : []),
      ...(counted ? ['generated always as identity'] : []),
      ...(fallback === null ? [] : [`default ${plain(fallback)}`]),
    ].join(' ');
    return [`${name.padEnd(widest)} ${plain(type).padEnd(longest)} ${more}`.trimEnd(), says] as const;
  });
}

function widthOf(texts: readonly string[]): number {
  return Math.max(...texts.map(({ length }) => length));
}

function policyText(table: string, { name, permissive, command, roles, visible, checked }: Policy): string {
  return [
    `create policy ${name} on hapax.${table}`,
    ...(permissive ? [] : ['as restrictive']),
    ...(command === null ? [] : [`for ${command}`]),
    `to ${roles}`,
    ...(visible === null ? [] : [`using (${plain(visible)})`]),
    ...(checked === null ? [] : [`with check (${plain(checked)})`]),
  ]
    .join(' ')
    .concat(';');
}

/** The words of `create index` and `create trigger`, as the migrations write them. */
function created(text: string): string {
  return plain(text)
    .replace('USING btree ', '')
    .replaceAll(
      /\b(CREATE|INDEX|TRIGGER|BEFORE|AFTER|INSERT|UPDATE|DELETE|OF|FOR EACH ROW|EXECUTE FUNCTION|DESC)\b/g,
      (word) => word.toLowerCase(),
    );
}
