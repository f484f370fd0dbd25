import { expect, it } from 'vitest';
import { flows } from '../../workflows/flows.ts';
import { days } from '../../workflows/operation/duration.ts';
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

it.each(flows.map((flow) => [flow.name, flow] as const))(
  'the design assumptions say how long keys of %s live, as it declares it',
  (name, { retention, renewsAfter }) => {
    const [row = '', ...more] = document.split('\n').filter((line) => line.startsWith(`| ${name} |`));
    const inDays = (duration: number) => `${duration / days(1)} days`;
    const [, , replayed, refused, afterwards] = row.split('|').map((cell) => cell.trim());
    expect([replayed, refused, more]).toEqual([inDays(retention.response), `until ${inDays(retention.tombstone)}`, []]);
    for (const state of renewsAfter)
      expect(afterwards).toContain({ cancelled: 'a cancel', expired: 'an expiry' }[state as string]);
  },
);
