import { expect, it } from 'vitest';
import { typeFits } from '../../activities/type-evidence.ts';

it.each([
  // Types without magic numbers are believed.
  ['text/plain', '', true],
  ['text/plain; charset=utf-8', 'image/png', true],
  ['application/octet-stream', 'image/png', true],
  ['application/json', '', true],
  ['image/svg+xml', '', true],
  ['application/x-of-our-own', '', true],
  // Types with them must show them.
  ['image/jpeg', 'image/jpeg', true],
  ['IMAGE/JPG', 'image/jpeg', true],
  ['image/jpeg', 'image/png', false],
  ['image/jpeg', '', false],
  ['image/of-our-own', '', false],
  ['image/of-our-own', 'image/png', true],
  ['application/pdf', 'application/zip', false],
  ['application/pdf', '', false],
  ['application/zip', 'application/pdf', false],
  // Containers that show what they are only further inside.
  ['image/png', 'image/apng', true],
  ['video/mp4', 'video/quicktime', true],
  ['video/mp4', 'audio/mp4', true],
  ['video/mp4', 'image/jpeg', false],
  ['application/vnd.openxmlformats-officedocument.wordprocessingml.document', 'application/zip', true],
  ['application/zip', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document', true],
])('declared %s and showing "%s" fits: %s', (declared, shown, fits) => {
  expect(typeFits(declared, shown)).toBe(fits);
});
