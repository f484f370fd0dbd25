import type Stripe from 'stripe';
import type { World } from '../world.ts';
import { type MoneyFound, moneyFound } from './money-found.ts';

/** What a real stack and its payment sandbox have, all of it of alpha. */
export async function foundInWorld(world: World, stripe: Stripe): Promise<MoneyFound> {
  const rows = await moneyFound((text, ...values) => world.sql(text, ...values), world.tenants.alpha);
  const { available } = await stripe.balance.retrieve();
  const balance = available.find(({ currency }) => currency === 'eur')?.amount ?? 0;
  return { ...rows, effects: await world.audit(), balance };
}
