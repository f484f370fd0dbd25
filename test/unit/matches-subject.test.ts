import { expect, it } from 'vitest';
import { matchesSubject } from '../../activities/consume/matches-subject.ts';

it.each([
  ['hapax.*.*.upload.>', 'hapax.alpha.test.upload.op_1', true],
  ['hapax.*.*.upload.>', 'hapax.alpha.test.upload', false],
  ['hapax.*.*.upload.>', 'hapax.alpha.test.asset.a_1', false],
  ['hapax.>', 'hapax.a', true],
  ['hapax.*', 'hapax.a.b', false],
  ['hapax.*', 'hapax.a', true],
])('%s takes %s: %s', (pattern, subject, fits) => {
  expect(matchesSubject(pattern, subject)).toBe(fits);
});
