import { EffectFree } from '../outcomes/effect-free.ts';
import { Refused } from '../outcomes/refused.ts';
import type { Undoing } from '../sending.ts';
import type { OpenWish, PaymentProvider } from './payment-provider.ts';

/**
 * Ends a payment so that no money has moved, whatever happened before. It learns the payment's id by repeating the
 * request under the same key, cancels the payment, and gives back what was captured in the meantime. Each call may be
 * repeated, so all of it may be.
 */
export async function unwindPayment(
  provider: PaymentProvider,
  wish: OpenWish,
  known: string | undefined,
  undoing: Undoing,
): Promise<void> {
  const id = known ?? (await learnId(provider, wish, undoing));
  if (id === undefined) return;
  const { state, called } = await provider.cancel(id, undoing);
  switch (state.kind) {
    case 'cancelled':
      return;
    case 'captured':
      return await provider.giveAllBack(id, state.captured, undoing);
    case 'open':
    case 'declined':
    case 'asking':
    case 'authorised':
      // The payment has not changed, and the key would return its stored failure for ever.
      throw new EffectFree(`The payment ${id} is ${called} and could not be cancelled yet`);
  }
}

/** @returns undefined where no payment was opened that anyone could confirm */
async function learnId(provider: PaymentProvider, wish: OpenWish, undoing: Undoing): Promise<string | undefined> {
  try {
    return (await provider.open(wish, { ...undoing, key: undoing.stepKey })).id;
  } catch (error) {
    // The request was refused, or its key is spent.
    if (error instanceof Refused || error instanceof EffectFree) return undefined;
    throw error;
  }
}
