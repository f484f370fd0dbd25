import type { ActionRecord } from './action-record.ts';

/**
 * What a submit does about what is stored under its name. `new`: make a key. `same`: go on with the stored one. `other`: the
 * input was changed, and an earlier one may still have its effect.
 * @param began when the person submitted. Another tab may have ended the action since then: it is the same one.
 * @param now a clock that was set back leaves an end in the future. That action is over
 */
export function opening(
  record: ActionRecord | undefined,
  fingerprint: string,
  began: number,
  now: number,
): { readonly is: 'new' } | { readonly is: 'same' | 'other'; readonly record: ActionRecord } {
  if (record === undefined || (record.over !== undefined && (record.over <= began || record.over > now)))
    return { is: 'new' };
  return { is: record.fingerprint === fingerprint ? 'same' : 'other', record };
}
