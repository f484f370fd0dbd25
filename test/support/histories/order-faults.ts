import type { Effect } from './effect.ts';
import type { FoundFact, FoundOrder } from './money-found.ts';
import type { Act, MoneyHistory } from './money-history.ts';

/** One answer to a caller. */
export type ToldAnswer = {
  readonly status: number;
  readonly text: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into bodies of every form
  readonly json: any;
};

/** A history, with what its callers were told. */
export type Told = {
  readonly key: string;
  /** The operation of its checkout. */
  readonly id: string;
  readonly history: MoneyHistory;
  readonly checkout: readonly ToldAnswer[];
  readonly acts: readonly { readonly act: Act; readonly answers: readonly ToldAnswer[] }[];
};

/** Of one order: what was told, what the provider has done, and what our rows say of it. */
export function orderFaults(
  { id, checkout, acts }: Told,
  found: { readonly effects: readonly Effect[]; readonly order: FoundOrder | undefined; readonly facts: readonly FoundFact[] },
): readonly string[] {
  const faults: string[] = [];
  const payments = new Set(
    found.effects.filter(({ operation, type }) => operation === id && type.endsWith('created')).map((one) => one.paymentIntent),
  );
  const effects = found.effects.filter(({ paymentIntent }) => payments.has(paymentIntent));
  const sum = (type: string) =>
    effects.filter((one) => one.type === type).reduce((total, { amount }) => total + amount, 0);
  const captures = effects.filter(({ type }) => type === 'payment_intent.captured').length;
  if (captures > 1) faults.push(`it was charged ${captures} times`);
  if (sum('refund.created') - sum('refund.failed') > sum('payment_intent.captured'))
    faults.push('more was given back than was taken');

  const [first] = checkout;
  if (new Set(checkout.map(({ text }) => text)).size > 1) faults.push('its checkout has two answers');
  const held = sum('payment_intent.captured') - sum('refund.created') + sum('refund.failed') - sum('dispute.created') + sum('dispute.won');
  if (first?.status === 201 && captures !== 1) faults.push('it was told that it is paid, and nothing was charged');
  if (first?.status !== 201 && held > 0 && sum('refund.failed') === 0)
    faults.push(`it was told ${first?.json?.code}, and ${held} are still with us`);

  const ours = (kind: string) =>
    found.facts
      .filter((fact) => fact.order_id === found.order?.id && fact.kind === kind)
      .reduce((total, { amount_minor }) => total + Number(amount_minor), 0);
  for (const [kind, type] of [
    ['captured', 'payment_intent.captured'],
    ['refunded', 'refund.created'],
    ['refund_failed', 'refund.failed'],
    ['disputed', 'dispute.created'],
    ['dispute_won', 'dispute.won'],
  ] as const)
    if (ours(kind) !== sum(type)) faults.push(`we have booked ${ours(kind)} as ${kind}, and the provider ${sum(type)}`);
  if (found.order !== undefined && Number(found.order.given_back_minor) !== sum('refund.created') - sum('refund.failed'))
    faults.push(`its order says that ${found.order.given_back_minor} were given back`);

  const states = first?.status === 201 ? ['paid', 'cancelled'] : ['released', undefined];
  if (!states.includes(found.order?.state)) faults.push(`its order is ${found.order?.state} after ${first?.status}`);
  for (const { act, answers } of acts) {
    if (act.do !== 'refund' && act.do !== 'cancel') continue;
    const settled = answers.filter(({ json }) => json?.code !== 'order-pending' && json?.code !== 'not-found');
    if (new Set(settled.map(({ text }) => text)).size > 1) faults.push(`a ${act.do} has two answers`);
    const [answer] = settled;
    if (answer === undefined) continue;
    const operation = answer.json?.id ?? answer.json?.operationUrl?.split('/').at(-1) ?? '';
    const made = effects.filter((one) => one.type === 'refund.created' && one.operation === operation);
    const wanted = act.do === 'refund' ? answer.json.amount?.minor : answer.json.refunded?.minor;
    const given = made.reduce((total, { amount }) => total + amount, 0);
    if (answer.status === 201 && (given !== wanted || made.length > 1))
      faults.push(`a ${act.do} says ${wanted}, and ${given} were given back in ${made.length}`);
    if (answer.status !== 201 && given > 0) faults.push(`a ${act.do} was refused, and has given ${given} back`);
  }
  const cancelled = acts.some(({ act, answers }) => act.do === 'cancel' && answers.some(({ status }) => status === 201));
  if (cancelled !== (found.order?.state === 'cancelled')) faults.push(`its order is ${found.order?.state}, cancelled: ${cancelled}`);
  return faults;
}
