import type pg from 'pg';
import { comment } from './plain-sql.ts';

const functions = `
select p.proname as name, obj_description(p.oid, 'pg_proc') as says, pg_get_function_arguments(p.oid) as parameters,
  pg_get_function_identity_arguments(p.oid) as identity, pg_get_function_result(p.oid) as result, lanname as language,
  case provolatile when 'i' then 'immutable' when 's' then 'stable' end as volatility, proparallel = 's' as parallel,
  prosecdef as definer, proconfig as settings, prosrc as source, pg_get_function_sqlbody(p.oid) as body,
  case when proowner <> nspowner then proowner::regrole::text end as owner,
  proacl is not null and not exists (select from aclexplode(proacl) where grantee = 0) as closed,
  (select string_agg(grantee::regrole::text, ', ' order by grantee::regrole::text)
   from aclexplode(proacl) where grantee not in (0, proowner)) as callers
from pg_proc p join pg_language l on l.oid = prolang join pg_namespace n on n.oid = pronamespace
where nspname = 'hapax' order by p.oid`;

type Function = {
  readonly name: string;
  readonly says: string | null;
  readonly parameters: string;
  readonly identity: string;
  readonly result: string;
  readonly language: string;
  readonly volatility: string | null;
  readonly parallel: boolean;
  readonly definer: boolean;
  readonly settings: readonly string[] | null;
  readonly source: string;
  readonly body: string | null;
  readonly owner: string | null;
  readonly closed: boolean;
  readonly callers: string | null;
};

/** The live text of each function: what PostgreSQL runs, with the comments inside. */
export async function functionsOf(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<Function>(functions);
  return rows.map(textOf);
}

function textOf(made: Function): string {
  const { name, says, identity, owner, closed, callers } = made;
  const called = `hapax.${name}(${identity})`;
  return [
    ...comment(says),
    `create function hapax.${name}(${listed(made.parameters)})`,
    `returns ${returned(made.result)} ${attributes(made)}`,
    made.body === null ? `as $$${made.source}$$;` : `${made.body};`,
    ...(owner === null ? [] : [`alter function ${called} owner to ${owner};`]),
    ...(closed ? [`revoke all on function ${called} from public;`] : []),
    ...(callers === null ? [] : [`grant execute on function ${called} to ${callers};`]),
  ].join('\n');
}

function attributes({ language, volatility, parallel, definer, settings }: Function): string {
  return [
    `language ${language}`,
    ...(volatility === null ? [] : [volatility]),
    ...(parallel ? ['parallel safe'] : []),
    ...(definer ? ['security definer'] : []),
    ...(settings ?? []).map((setting) => `set ${setting.replace('=', ' = ')}`),
  ].join(' ');
}

/** As many parameters a line as fit. */
function listed(parameters: string): string {
  const short = parameters
    .replaceAll('timestamp with time zone', 'timestamptz')
    .replaceAll(/ DEFAULT NULL::[\w. ]+/g, ' default null')
    .replaceAll(' DEFAULT ', ' default ');
  if (short.length <= 80) return short;
  const lines = [''];
  for (const one of short.split(', ')) {
    const line = lines.at(-1) as string;
    if (line.length + one.length > 112) lines.push(one);
    else lines[lines.length - 1] = line === '' ? one : `${line}, ${one}`;
  }
  return `\n  ${lines.join(',\n  ')}`;
}

function returned(result: string): string {
  const table = /^TABLE\((.*)\)$/s.exec(result)?.[1];
  return table === undefined ? result : `table (${listed(table)})`;
}
