import type { Arrived } from '../../activities/stores/postgres/ledger/arrive.ts';
import type { AwaitDeclaration } from '../../workflows/operation/step-declaration.ts';
import { CallRefused } from './call.ts';

/** The result of `arrive`, with the evidence typed as the flow declares it. */
export type ArrivedAs<Evidence> = Arrived extends infer A
  ? A extends { readonly evidence: unknown }
    ? Omit<A, 'evidence'> & { readonly evidence: Evidence }
    : A
  : never;

/** @throws CallRefused when the evidence does not match the flow's schema, or contains what PostgreSQL cannot store */
export function soundEvidence({ evidence }: AwaitDeclaration, given: unknown): Readonly<Record<string, unknown>> {
  const { success, data, error } = evidence.safeParse(given);
  if (!success)
    throw new CallRefused(
      'request-invalid',
      `The evidence does not match its schema: ${error.issues[0]?.message ?? 'it is not valid'}`,
    );
  const text = JSON.stringify(data);
  if (text.includes('\\u0000') || !text.isWellFormed())
    throw new CallRefused(
      'request-invalid',
      'The evidence contains a NUL or half a surrogate pair, which cannot be stored.',
    );
  return data as Readonly<Record<string, unknown>>;
}
