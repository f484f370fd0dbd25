import type { Delivery } from '../../../activities/stores/message-source.ts';

type Thing = {
  readonly id: string;
  readonly tenant?: string;
  readonly environment?: string;
  readonly aggregate?: string;
  readonly sequence?: number | string;
  readonly poison?: string;
  readonly n?: number;
};

export type Message = { readonly subject: string; readonly id: string; readonly body: string };

/** A message of the tests' own, for the consumer of that name. */
export function thingHappened(
  consumer: string,
  { id, tenant = 'alpha', environment = 'test', aggregate = 'a', sequence = 1, poison, n = 1 }: Thing,
): Message {
  return {
    subject: `hapax.${tenant}.${environment}.${consumer}.${aggregate}`,
    id,
    body: JSON.stringify({
      ...{ specversion: '1.0', id, source: `/hapax/${tenant}/${environment}`, type: 'thing.happened' },
      ...{ subject: `${consumer}/${aggregate}`, time: '2026-11-28T12:00:00.000Z', sequence: String(sequence) },
      ...{ hapaxoperation: 'op_1', hapaxcause: 'req_1', data: { n, ...(poison === undefined ? {} : { poison }) } },
    }),
  };
}

/** A delivery that keeps how it was answered. */
type Handed = Delivery & { readonly answers: string[] };

let places = 0;

/** Delivers a message without a broker. */
export function handed({ subject, body }: { readonly subject: string; readonly body: string | Uint8Array }): Handed {
  places += 1;
  const answers: string[] = [];
  return {
    place: `HAPAX_EVENTS:${places}`,
    subject,
    body: typeof body === 'string' ? new TextEncoder().encode(body) : body,
    answers,
    ack: () => void answers.push('ack'),
    back: () => void answers.push('back'),
  };
}
