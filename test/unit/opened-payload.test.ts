import { describe, expect, it } from 'vitest';
import { deliver } from '../../activities/delivery/deliver.ts';
import type { Mail } from '../../activities/delivery/mail-sender.ts';
import { mailOutlet } from '../../activities/delivery/outlet.ts';
import { receipt } from '../../activities/mail/receipt.ts';
import { Seals } from '../../activities/seal/seals.ts';
import type { Delivery } from '../../activities/stores/postgres/outbox/due-deliveries.ts';
import { seconds } from '../../workflows/operation/duration.ts';
import { testSeals } from '../support/seal-keys.ts';

const email = 'ann@example.com';
const place = { tenant: 'alpha', flow: 'checkout', operation: 'op_1', field: 'email' } as const;

type Given = { readonly seals?: Seals; readonly operation?: string };

/** Lets a receipt leave, and says what has become of it and to whom it went. */
async function receiptOf(told: object, { seals = testSeals, operation = 'op_1' }: Given = {}) {
  const sent: Mail[] = [];
  const outlet = mailOutlet(
    {
      ...{ called: 'the mail server', place: 'smtp:mail.test', knowsIdsFor: 0, longestSend: seconds(1) },
      async send(mail, { handOver }) {
        await handOver();
        sent.push(mail);
      },
    },
    [receipt],
    { guard: async ({ signal }, make) => await make(signal), seals },
  );
  const delivery: Delivery = {
    ...{ id: 'dl_1', fence: 1n, mayHaveLeft: undefined, tries: 1, dueFor: 0 },
    message: {
      ...{ id: 'msg_1', tenant: 'alpha', environment: 'test', channel: 'mail', about: 'ord_1', operation },
      ...{ type: receipt.type, payload: told, occurredAt: new Date(0) },
    },
  };
  const parts = { outlet, begin: async () => true, signal: new AbortController().signal, random: 0.5 };
  return { became: await deliver(delivery, parts), to: sent.map((mail) => mail.to.address) };
}

const told = { order: 'ord_1', amount: 2_400, currency: 'eur' };

describe('the sealed address of a receipt', () => {
  it('is opened where it is sent', async () => {
    const sealed = { ...told, email: testSeals.seal(email, place) };
    expect(await receiptOf(sealed)).toEqual({ became: { state: 'sent' }, to: [email] });
  });

  it('is plain where the build before sealed fields has told it', async () => {
    expect(await receiptOf({ ...told, email })).toEqual({ became: { state: 'sent' }, to: [email] });
  });

  it.each<[string, Given, string]>([
    ['lacks the key', { seals: Seals.none }, 'HAPAX_SEAL_KEYS'],
    ['has it from another operation', { operation: 'op_2' }, 'cannot be opened'],
  ])('leaves the message waiting where the process %s, and is not told', async (_, given, why) => {
    const { became, to } = await receiptOf({ ...told, email: testSeals.seal(email, place) }, given);
    expect(became).toMatchObject({ state: 'due', code: 'delivery-failed', detail: expect.stringContaining(why) });
    expect([JSON.stringify(became).includes(email), to]).toEqual([false, []]);
  });

  it('that was erased goes to nobody, and nobody has to look at it', async () => {
    expect(await receiptOf({ erased: true })).toEqual({ became: { state: 'erased' }, to: [] });
  });
});
