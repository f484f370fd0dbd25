import { expect, it } from 'vitest';
import { mostTries } from '../../activities/consume/failed-effect.ts';
import { usualProtection } from '../../activities/outside/protection.ts';
import { keyWindow } from '../../activities/stores/payments/stripe/stripe-provider.ts';
import { webhookWish } from '../../workers/sandbox/webhook-plan.ts';
import { readConfig } from '../../workers/config.ts';
import { booksFlow } from '../../workflows/books.flow.ts';
import { checkoutFlow } from '../../workflows/checkout.flow.ts';
import { budgets, ledgerMove, type Tries } from '../../workflows/operation/budget.ts';
import { hours, seconds, spoken } from '../../workflows/operation/duration.ts';
import { flows } from '../../workflows/flows.ts';
import {
  type RetrySchedule,
  scheduleOf,
  whileCallerWaits,
  whileCallingOut,
  whileConsuming,
  whileDelivering,
  whilePublishing,
  whileUndoing,
} from '../../workflows/operation/retry-schedule.ts';
import { filesUnder, readText } from './source-files.ts';

const document = readText('docs/retries.md');
const row = (place: string) =>
  document.split('\n').find(
    (line) =>
      line.startsWith('|') &&
      line
        .split('|')[1]
        ?.replace(/\]\([^)]*\)/g, ']')
        .includes(place),
  ) ?? '';

const inWords = (duration: number) => (duration < seconds(1) ? `${duration} ms` : `${duration / seconds(1)} s`);

function said({ firstPause, growth, longestPause, atMost, longestTry }: Tries): string {
  if (atMost === 1) return `1 try of at most ${inWords(longestTry)}`;
  const often = atMost === undefined ? 'until there is an outcome' : `${atMost} tries`;
  return `${often}, pauses from ${inWords(firstPause)}, × ${growth}, at most ${inWords(longestPause)}`;
}

const tries: readonly (readonly [string, Tries])[] = [
  ['[near tries] of `ledger`', budgets.ledger.near],
  ['near tries of `outside`', budgets.outside.near],
  ['[far tries] of `ledger`', budgets.ledger.far],
  ...(['outside', 'bytes', 'media'] as const).map((name) => [`far tries of \`${name}\``, budgets[name].far] as const),
  ["the ledger's own moves", ledgerMove],
];

it.each(tries)('the table of retries has the numbers of %s', (place, numbers) => {
  expect(row(place)).toContain(said(numbers));
});

const interactive = scheduleOf('interactive', usualProtection.behindCaller);
const schedules: readonly (readonly [string, RetrySchedule])[] = [
  ['of `interactive` steps', interactive],
  ['schedule of [`books`]', booksFlow.retries as RetrySchedule],
  ['schedule of undos', whileUndoing],
  ['[messages] that leave', whileDelivering],
  ['[webhooks] that leave', whileCallingOut],
  ['[events] that are published', whilePublishing],
  ['[consumers]', whileConsuming],
];

it.each(schedules)('the table of retries has the pauses of %s', (place, { jitter, ...pauses }) => {
  expect(row(place)).toContain(said({ ...pauses, longestTry: 0 }));
  expect(row(place)).toContain(`× ${jitter.from}–${jitter.to}`);
});

it('the table of retries has the pauses for which a person waits, and names the flows', () => {
  const { pauses, jitter } = whileCallerWaits;
  const [first, second, third] = pauses.map(inWords);
  expect(row('of `interactive` steps')).toContain(`after ${first}, ${second} and ${third}; then`);
  expect(row('of `interactive` steps')).toContain(`× ${jitter.from}–${jitter.to}, then`);
  const named = (wanted: boolean) =>
    flows
      .filter(({ retries }) => retries !== undefined && (retries === 'interactive') === wanted)
      .map(({ name }) => name);
  for (const name of named(true)) expect(document).toMatch(new RegExp(`interactive'\`: [^.]*${name}`));
  for (const name of named(false)) expect(document).toContain(`schedule of [\`${name}\`]`);
});

it('the table of retries has the other numbers too', () => {
  const { retryShare, retriesAtLeast } = usualProtection;
  expect(row('[retry budget]')).toContain(`under ${retryShare * 100} %`);
  expect(row('[retry budget]')).toContain(`${retriesAtLeast} are always allowed`);
  expect(row('the caller')).toContain(`${readConfig(['HAPAX_ASKS_PER_KEY'], {}).HAPAX_ASKS_PER_KEY} asks a minute`);
  expect(row('[the SDK]')).toContain(
    `after ${whileCallerWaits.pauses
      .map(inWords)
      .join(', ')
      .replace(/, (?=[^,]*$)/, ' and ')}`,
  );
  expect(row('[the SDK]')).toContain(`× ${whileCallerWaits.jitter.from}–${whileCallerWaits.jitter.to}`);
  expect(readText('sdk/retry-pause.ts')).toContain('longestAsked = seconds(5)');
  expect(readText('sdk/follow.ts')).toContain('firstPause: seconds(1), growth: 2, longestPause: seconds(30)');
  expect(row('[waits]')).toContain(`each ${inWords(checkoutFlow.steps.authenticate.looksEvery)}`);
  const backoff = webhookWish.parse({ url: 'http://a.test', secret: 's' }).backoffMs;
  expect(backoff.slice(0, 5)).toEqual([300_000, 1_800_000, hours(2), hours(5), hours(10)]);
  expect(backoff.slice(5)).toEqual([...Array.from({ length: 4 }, () => hours(12)), hours(6)]);
  expect(document).toContain(`(${spoken(keyWindow).split(' ')[0]} of Stripe's 24 hours)`);
  expect(mostTries).toBe(12);
  expect(row('[consumers]')).toContain('twelve tries');
  const handling = readText('client/events/handle-event.ts');
  expect(handling).toContain('firstPause: seconds(1), growth: 2, longestPause: hours(1), until: hours(24)');
  expect(handling).toContain('pause * (0.75 + Math.random() / 2)');
  expect(readText('workflows/temporal/reconcile.ts')).toContain(
    "initialInterval: '30 s', backoffCoefficient: 2, maximumInterval: '10 minutes', maximumAttempts: 6",
  );
  expect(readText('activities/stores/s3/object-store.ts')).toContain('maxAttempts: 2');
});

/** Words by which code says that it does something once more. */
const repeats =
  /maxAttempts|maximumAttempts|firstPause:|initialInterval|backoffCoefficient|backoffMs|retryShare:|looksEvery !==|looks, 8|reconnectAfter|reconnectStrategy|reconnectTimeWait|retry: \d|#retry = setTimeout/;
/** They only hand on what a place above has decided. */
const handOn = new Set([
  'activities/engine/report-trouble.ts',
  'activities/engine/retry-budget.ts',
  'workers/sandbox/webhook-sender.ts',
]);

it('the table of retries names every place whose code tries again', () => {
  const places = ['activities', 'client', 'sdk', 'workers', 'workflows']
    .flatMap(filesUnder)
    .filter((path) => path.endsWith('.ts'))
    .filter((path) => repeats.test(readText(path)))
    .filter((path) => !handOn.has(path));
  expect(places.length).toBeGreaterThan(6);
  expect(places.filter((path) => !document.includes(`(../${path})`))).toEqual([]);
});

it('no client of an outside system retries under a key that the ledger does not know', () => {
  const stripe = ['activities', 'client', 'workers']
    .flatMap(filesUnder)
    .filter((path) => path.endsWith('.ts'))
    .filter((path) => !path.startsWith('workers/sandbox/'))
    .flatMap((path) => [...readText(path).matchAll(/maxNetworkRetries: (\d+)/g)].map(([, times]) => [path, times]));
  expect(stripe.length).toBeGreaterThan(5);
  expect(stripe.filter(([, times]) => times !== '0')).toEqual([]);
});
