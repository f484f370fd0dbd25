import type { About } from '../../about.ts';
import type { Statement } from '../database.ts';
import { type Told, toldFacts } from './book-facts.ts';

const text = `
select step_done($1, $2, jsonb_build_object('booked', (select booked from book_facts($3, $4, false)))) as done`;

/** Books what a look at a payment has found, as the step that an event has set off. */
export function recordMoney({ provider, facts }: Told, { operation, environment }: About, step: string): Statement {
  return { name: 'record_money', text, values: [operation, step, provider, toldFacts(facts, environment)] };
}
