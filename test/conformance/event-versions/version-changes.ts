export type StripeEvent = {
  readonly id: string;
  readonly object: 'event';
  readonly api_version: string;
  readonly created: number;
  readonly data: { readonly object: Readonly<Record<string, unknown>> };
  readonly livemode: boolean;
  readonly pending_webhooks: number;
  readonly request: unknown;
  readonly type: string;
};

type VersionChange = {
  /** Endpoints of an older version get the former form. */
  readonly since: string;
  readonly takeBack: (event: StripeEvent) => StripeEvent;
};

/**
 * What Stripe has changed in the events that we hear, newest first (docs.stripe.com/changelog). What was only added, such as
 * `destination_details` of a refund, Stripe writes for all versions.
 */
export const versionChanges: readonly VersionChange[] = [
  {
    // Each refund has events of its own. Before, `charge.refunded` told of it, and then `charge.refund.updated`.
    since: '2024-10-28.acacia',
    takeBack: (event) => (event.type.startsWith('refund.') ? { ...event, type: 'charge.refund.updated' } : event),
  },
  {
    // A payment names its latest charge, and a charge no longer lists its refunds.
    since: '2022-11-15',
    takeBack: (event) =>
      of(of(event, 'payment_intent', withCharges), 'charge', (charge) => ({
        ...charge,
        refunds: list(
          charge.amount_refunded === 0 ? [] : [refundOf(charge)],
          `/v1/charges/${String(charge.id)}/refunds`,
        ),
      })),
  },
  {
    // Sources became payment methods.
    since: '2019-02-11',
    takeBack: (event) =>
      of(event, 'payment_intent', ({ next_action: action, payment_method_types: types, status, ...payment }) => ({
        ...payment,
        allowed_source_types: types,
        next_source_action: action,
        source: null,
        status: formerStatus.get(String(status)) ?? status,
      })),
  },
  {
    // A request has its idempotency key beside its id.
    since: '2017-05-25',
    takeBack: (event) => ({ ...event, request: (event.request as { id: string }).id }),
  },
  {
    // Payouts were transfers.
    since: '2017-04-06',
    takeBack: (event) =>
      of({ ...event, type: event.type.replace(/^payout\./, 'transfer.') }, 'payout', (payout) => ({
        ...payout,
        object: 'transfer',
        date: payout.arrival_date,
        reversed: false,
        reversals: list([], `/v1/transfers/${String(payout.id)}/reversals`),
      })),
  },
  {
    // A charge that had succeeded was `paid`.
    since: '2015-02-18',
    takeBack: (event) => of(event, 'charge', (charge) => ({ ...charge, status: 'paid', card: null })),
  },
];

const formerStatus: ReadonlyMap<string, string> = new Map([
  ['requires_payment_method', 'requires_source'],
  ['requires_action', 'requires_source_action'],
]);

type Members = Readonly<Record<string, unknown>>;

function of(event: StripeEvent, about: string, change: (object: Members) => Members): StripeEvent {
  const { object } = event.data;
  return object.object === about ? { ...event, data: { ...event.data, object: change(object) } } : event;
}

function withCharges({ latest_charge: id, ...payment }: Members): Members {
  const charge = { id, object: 'charge', amount: payment.amount, payment_intent: payment.id, refunds: list([], '') };
  return { ...payment, charges: list([charge], `/v1/charges?payment_intent=${String(payment.id)}`) };
}

function refundOf({ id, amount_refunded: amount, payment_intent: payment }: Members): Members {
  return { id: 're_3Hapax', object: 'refund', amount, charge: id, payment_intent: payment, status: 'succeeded' };
}

function list(data: readonly unknown[], url: string) {
  return { object: 'list', data, has_more: false, total_count: data.length, url };
}
