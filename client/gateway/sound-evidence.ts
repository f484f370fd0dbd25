import type { AwaitDeclaration } from '../../workflows/operation/step-declaration.ts';
import { CallRefused } from './call.ts';

/** @throws CallRefused where it is not what the flow declares, or holds what PostgreSQL cannot keep */
export function soundEvidence({ evidence }: AwaitDeclaration, given: unknown): Readonly<Record<string, unknown>> {
  const { success, data, error } = evidence.safeParse(given);
  if (!success)
    throw new CallRefused(
      'request-invalid',
      `The evidence does not fit: ${error.issues[0]?.message ?? 'see its schema'}`,
    );
  const text = JSON.stringify(data);
  if (text.includes('\\u0000') || !text.isWellFormed())
    throw new CallRefused('request-invalid', 'The evidence holds NUL or half a surrogate pair, which cannot be kept.');
  return data as Readonly<Record<string, unknown>>;
}
