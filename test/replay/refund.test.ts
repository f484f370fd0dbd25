import type { World } from '../support/world.ts';
import { replayStories, type Told } from './replay-stories.ts';

const refund = async (world: World, key: string, body: unknown) =>
  await world.ask('POST', '/v1/refunds', { key, body });

const told =
  (more: Record<string, unknown>): Told =>
  async (world, key) => {
    const { json } = await world.checkout(`paid for ${key}`);
    await refund(world, key, { checkout: json.id, ...more });
  };

const refused: Told = async (world, key) => {
  const { json } = await world.checkout(`paid for ${key}`);
  await world.sandboxControl('POST', 'disputes', { payment_intent: json.paymentIntent });
  await refund(world, key, { checkout: json.id });
};

replayStories('refund', { part: told({ amount: { minor: 500, currency: 'eur' } }), whole: told({}), refused });
