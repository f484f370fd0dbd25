import { replayStories, type Told } from './replay-stories.ts';

const told =
  (refundedBefore: boolean): Told =>
  async (world, key) => {
    const { json } = await world.checkout(`paid for ${key}`);
    if (refundedBefore) await world.ask('POST', '/v1/refunds', { key: `all of ${key}`, body: { checkout: json.id } });
    await world.ask('POST', `/v1/orders/${json.orderId}/cancel`, { key });
  };

replayStories('cancellation', { paid: told(false), 'refunded-before': told(true) });
