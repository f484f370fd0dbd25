import type { FailureCode } from '../../../../workflows/operation/failures.ts';

/** Why the provider can refuse a checkout: rows of the failure table. */
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

/** What an error code means: a refusal, or nothing definite. See `PaymentFailure`. */
export type Meaning = PaymentCode | 'moved' | 'throttled' | 'unknown';
