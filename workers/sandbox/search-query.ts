import type { PaymentIntent } from './payment-intent.ts';
import { invalidRequest } from './stripe-error.ts';

/** Whether a PaymentIntent matches. */
type Matcher = (intent: PaymentIntent) => boolean;

// Stripe, "Search query language": -field['key']:'value', joined by AND or by OR, never by both.
const CLAUSE =
  /^\s*(-?)(\w+)(?:\[(?:'([^']*)'|"([^"]*)")\])?(:|~|>=|<=|>|<)(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)"|(null|\d+))\s*/;
const JOINT = /^(AND|OR)\b/i;

/** Reads Stripe's search language, as far as PaymentIntents need it. */
export function parseSearchQuery(query: string): Matcher {
  const matchers: Matcher[] = [];
  const joints = new Set<string>();
  let rest = query;
  for (;;) {
    const clause = CLAUSE.exec(rest);
    if (clause === null)
      throw invalidRequest(`We were unable to parse your search query: ${query}`, { param: 'query' });
    matchers.push(matcherOf(clause));
    rest = rest.slice(clause[0].length);
    if (rest === '') break;
    const joint = JOINT.exec(rest);
    if (joint === null) throw invalidRequest(`We were unable to parse your search query: ${query}`, { param: 'query' });
    joints.add(joint[0].toUpperCase());
    rest = rest.slice(joint[0].length);
  }
  if (joints.size > 1) throw invalidRequest('A search query cannot mix AND and OR.', { param: 'query' });
  return joints.has('OR')
    ? (intent) => matchers.some((matches) => matches(intent))
    : (intent) => matchers.every((matches) => matches(intent));
}

function matcherOf(clause: RegExpExecArray): Matcher {
  const [, minus, field = '', single, double, operator = ':', singleValue, doubleValue, bare] = clause;
  const read = reader(field, single ?? double);
  const value = (singleValue ?? doubleValue)?.replace(/\\(.)/g, '$1') ?? bare ?? '';
  const matches: Matcher = (intent) => compare(read(intent), operator, bare === 'null' ? null : value);
  return minus === '-' ? (intent) => !matches(intent) : matches;
}

function reader(field: string, key: string | undefined): (intent: PaymentIntent) => string | number | null {
  switch (field) {
    case 'metadata':
      return (intent) =>
        key !== undefined && Object.hasOwn(intent.metadata, key) ? (intent.metadata[key] ?? null) : null;
    case 'status':
      return (intent) => intent.state.status;
    case 'amount':
      return (intent) => intent.amount;
    case 'created':
      return (intent) => intent.created;
    case 'currency':
      return (intent) => intent.currency;
    case 'customer':
      return (intent) => intent.customer;
    default:
      throw invalidRequest(`Field \`${field}\` is an unsupported search field for resource \`payment_intents\`.`, {
        param: 'query',
      });
  }
}

function compare(found: string | number | null, operator: string, value: string | null): boolean {
  if (value === null) return found === null;
  if (found === null) return false;
  switch (operator) {
    case '~':
      return String(found).includes(value);
    case '>':
      return Number(found) > Number(value);
    case '>=':
      return Number(found) >= Number(value);
    case '<':
      return Number(found) < Number(value);
    case '<=':
      return Number(found) <= Number(value);
    default:
      return String(found) === value;
  }
}
