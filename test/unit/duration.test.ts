import { expect, it } from 'vitest';
import { days, hours, minutes, seconds, spoken } from '../../workflows/operation/duration.ts';

it.each([
  [days(2), '2 days'],
  [hours(24), '1 day'],
  [hours(36), '36 hours'],
  [minutes(90), '90 minutes'],
  [seconds(1), '1 second'],
  [250, '250 ms'],
  [0, '0 ms'],
])('says %d ms as %s', (duration, words) => {
  expect(spoken(duration)).toBe(words);
});
