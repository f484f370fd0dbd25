import type { FailureCode } from '../../../workflows/operation/failures.ts';

/** What a checkout can be refused for at the provider: rows of the failure table. */
export type PaymentCode = Extract<
  FailureCode,
  | 'card-declined'
  | 'authentication-required'
  | 'payment-not-processed'
  | 'payment-refused'
  | 'payment-duplicate'
  | 'payment-not-possible'
  | 'amount-too-large'
  | 'amount-too-small'
>;

/** What an error code means: a refusal, or that the answer settles nothing. See `PaymentFailure`. */
export type Meaning = PaymentCode | 'moved' | 'throttled' | 'unknown';
