import { expect, it } from 'vitest';
import { flows } from '../../workflows/flows.ts';
import { days } from '../../workflows/operation/duration.ts';
import { failure } from '../../workflows/operation/failures.ts';
import type { AnyFlow } from '../../workflows/operation/flow.ts';
import { readText } from './source-files.ts';

const document = readText('docs/idempotency.md');

it.each([
  'What is a duplicate?',
  'Who shares?',
  'How long do keys live?',
  'May a user upload the same file twice on purpose?',
  'Do processors take duplicate references?',
])('the design assumptions answer: %s', (question) => {
  const [, answer = ''] = document.split(`**${question}**`);
  // More than a heading: a sentence at least.
  expect(answer.split('\n**')[0]?.trim().length).toBeGreaterThan(80);
});

const ends: Readonly<Record<string, string>> = { cancelled: 'a cancel', expired: 'an expiry' };
const inDays = (duration: number) => `${duration / days(1)} days`;

function rowOf({ name, retention, renewsAfter, refusals }: AnyFlow): string {
  const moments = refusals.filter((code) => failure(code).stored === false).map((code) => `\`${code}\``);
  const afterwards = [
    'replays',
    ...(moments.length === 0 ? [] : [`after ${moments.join(' or ')} it runs anew`]),
    ...(renewsAfter.length === 0
      ? []
      : [`after ${renewsAfter.map((state) => ends[state] ?? state).join(' or ')} it begins a new generation`]),
  ];
  return `| ${name} | ${inDays(retention.response)} | until ${inDays(retention.tombstone)} | ${afterwards.join('; ')} |`;
}

// `npm run documents` writes the table.
it('the design assumptions say how long keys of each flow live, as it declares it', async () => {
  const written = document.replace(
    /(\| flow \|[^\n]*\n\|[-|]*\n)(?:\|[^\n]*\n)*/,
    `$1${flows.map(rowOf).join('\n')}\n`,
  );
  await expect(written).toMatchFileSnapshot('../../docs/idempotency.md');
});
