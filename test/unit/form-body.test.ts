import { expect, it } from 'vitest';
import { z } from 'zod';
import { flowRoute } from '../../client/http/routes/route-params.ts';
import { fitsForm } from '../../client/http/protocol/form-body.ts';
import { flows } from '../../workflows/flows.ts';
import { isPosted } from '../../workflows/operation/flow.ts';

it('a form can begin what is said in texts alone', () => {
  const fit = flows.filter(isPosted).filter((flow) => fitsForm(flowRoute(flow).body));
  expect(fit.map(({ name }) => name).toSorted()).toEqual(['cancellation', 'erasure', 'resend', 'signup']);
});

it.each([
  ['a number', z.int()],
  ['a truth', z.boolean()],
  ['a list', z.array(z.string())],
  ['an object', z.strictObject({ a: z.string() })],
  ['null', z.string().nullable()],
  ['a choice of forms', z.union([z.string(), z.int()])],
])('a form cannot say %s', (_, field) => {
  expect(fitsForm(z.strictObject({ name: z.string(), field: field.optional() }))).toBe(false);
});

it('a form can say a choice of words, and a text with rules', () => {
  const field = z.enum(['left', 'right']);
  expect(
    fitsForm(
      z.strictObject({
        field,
        other: z
          .string()
          .max(3)
          .refine((text) => text !== 'no')
          .optional(),
      }),
    ),
  ).toBe(true);
});
