import { LedgerFault } from '../ledger-fault.ts';

/**
 * The statements that read and write rows. Everything else is refused, so the list of what is forbidden cannot have
 * gaps.
 */
const allowed = new Set(['select', 'insert', 'update', 'delete', 'merge', 'with', 'values', 'table', 'lock', 'call']);

/** The reasons for the refusals that people are likely to meet. */
const instead: Readonly<Record<string, string>> = {
  begin: 'the ledger has begun the transaction',
  start: 'the ledger has begun the transaction',
  commit: 'the ledger commits, together with the record of the step',
  end: 'the ledger commits, together with the record of the step',
  rollback: 'throw an error, or Refused, and the ledger rolls back',
  abort: 'throw an error, or Refused, and the ledger rolls back',
  savepoint: 'the step does all or nothing: say `on conflict` instead of catching an error',
  release: 'the step does all or nothing: say `on conflict` instead of catching an error',
  copy: 'insert the rows',
  declare: 'select the rows',
  listen: 'the ledger tells who waits',
  set: 'it would outlive the step on its connection',
};

/**
 * Refuses statements that do not read or write rows: those that end the ledger's transaction, and those that leave
 * something behind on its connection. PostgreSQL itself refuses a second statement in one text, since each is sent by
 * its extended protocol.
 * @throws LedgerFault `broken`
 */
export function expectRowStatement(text: string): void {
  const word = firstWord(text);
  if (allowed.has(word)) return;
  const why = instead[word] ?? 'a step reads and writes rows';
  throw new LedgerFault('broken', `A row step cannot run ${word === '' ? 'an empty query' : `\`${word}\``}: ${why}.`);
}

/** In lower case; empty if the text does not begin with a word. */
function firstWord(text: string): string {
  const rest = text.slice(leading(text));
  return /^[a-z]+/i.exec(rest)?.[0].toLowerCase() ?? '';
}

/** How much of a text is white space, comments and opening brackets. PostgreSQL's comments nest. */
function leading(text: string): number {
  let at = 0;
  for (;;) {
    const rest = text.slice(at);
    const skipped = /^([\s(]+|--[^\n\r]*)/.exec(rest)?.[0].length ?? (rest.startsWith('/*') ? comment(rest) : 0);
    if (skipped === 0) return at;
    at += skipped;
  }
}

function comment(text: string): number {
  let depth = 0;
  for (const { 0: mark, index } of text.matchAll(/\/\*|\*\//g)) {
    depth += mark === '/*' ? 1 : -1;
    if (depth === 0) return index + mark.length;
  }
  return text.length;
}
