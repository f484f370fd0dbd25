import { readText } from '../source-files.ts';

type LedgerFunction = { readonly name: string; readonly returns: string; readonly body: string };

const schema = readText('activities/stores/postgres/schema.sql');

/** The functions of the ledger, as the migrations have left them. */
export const ledgerFunctions: readonly LedgerFunction[] = schema
  .split(/^create function hapax\./m)
  .slice(1)
  .map((text) => {
    const [head = '', ...body] = text.split(/^(?:as \$\$|begin atomic|return )/im);
    return {
      name: /^\w+/.exec(head)?.[0] ?? '',
      returns: /\nreturns ([^]*)/.exec(head)?.[1] ?? '',
      body: body.join('').split(/^(?:end )?\$\$;|^end;/m)[0] as string,
    };
  });

/** The triggers on a table, as PostgreSQL describes them. */
export function triggersOn(table: string): readonly string[] {
  return [...schema.matchAll(/^create trigger [^;]*;/gm)]
    .map(([text]) => text)
    .filter((text) => text.includes(` on hapax.${table} `));
}

const writing =
  /\b(insert\s+into|delete\s+from|merge\s+into)\s|\bupdate\s+[\w."?]+\s+(as\s+)?(\w+\s+)?set\s|\bpg_notify\s*\(/i;

/** The functions whose body meets a condition, and those that call one of them. */
function spread(first: (body: string) => boolean): ReadonlySet<string> {
  const found = new Set(ledgerFunctions.filter(({ body }) => first(body)).map(({ name }) => name));
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const { name, body } of ledgerFunctions) if (calls(body, found)) found.add(name);
  }
  return found;
}

function calls(text: string, names: ReadonlySet<string>): boolean {
  return [...text.matchAll(/\b(\w+)\s*\(/g)].some(([, name = '']) => names.has(name));
}

/** The one way into the outbox. */
const tell = 'tell';
const telling = new Set([tell, ...spread((body) => calls(body, new Set([tell])))]);
const changing = spread((body) => writing.test(body));

/** @returns what a statement does beyond reading; `tells` if it writes a message into the outbox */
export function sqlEffect(text: string): 'rows' | 'tells' | undefined {
  if (writing.test(text)) return calls(text, telling) ? 'tells' : 'rows';
  if (!/\b(select|with|call)\s/i.test(text)) return undefined;
  if (calls(text, telling)) return 'tells';
  return calls(text, changing) ? 'rows' : undefined;
}
