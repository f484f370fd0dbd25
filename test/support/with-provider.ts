import { createActivities } from '../../activities/create-activities.ts';
import type { SystemGuards } from '../../activities/engine/system-guards.ts';
import type { PaymentProvider } from '../../activities/stores/payments/payment-provider.ts';
import type { Stores } from '../../activities/stores.ts';
import { registrations } from '../../workers/registrations.ts';

/** The product's activities for a worker in this process, with another payment provider. */
export function withProvider(other: (own: PaymentProvider) => PaymentProvider) {
  return async (stores: Stores, guards: SystemGuards) => {
    const payments = { ...stores.payments, provider: other(stores.payments.provider) };
    return createActivities({ ...stores, payments }, await registrations(), guards);
  };
}
