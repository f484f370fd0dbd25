import { operationId } from '../../workflows/operation/key.ts';
import { checkoutScope } from '../support/lane.ts';
import { heldRequest, plan } from '../support/provider-faults.ts';
import { replayStories } from './replay-stories.ts';

replayStories('checkout', {
  succeeded: (world, key) => world.checkout(key),
  declined: (world, key) => world.checkout(key, { paymentMethod: 'pm_card_visa_chargeDeclined' }),
  refused: (world, key) => world.checkout(key, { items: [{ sku: 'poster', quantity: 1 }] }),
  async cancelled(world, key) {
    const id = operationId(checkoutScope(world, key), 1);
    await plan(world, id, 'authorise', { fault: 'hold_before', outlivesClient: true });
    const asked = world.checkout(key);
    const release = await heldRequest(world, id);
    await world.ask('POST', `/v1/operations/${id}/cancel`);
    await asked;
    await release();
  },
  async authenticated(world, key) {
    const asking = { paymentMethod: 'pm_card_threeDSecure2Required' };
    const { json } = await world.checkout(key, asking);
    await fetch(json.nextAction.url, {
      method: 'POST',
      body: new URLSearchParams({ outcome: 'complete' }),
      redirect: 'manual',
    });
    await world.until('it is paid', async () => (await world.state(json.id)) === 'succeeded', 30_000);
  },
  async retried(world, key) {
    const id = operationId(checkoutScope(world, key), 1);
    for (const call of ['openPayment', 'authorise', 'capture'] as const)
      await plan(world, id, call, { fault: '500_before' });
    await world.checkout(key);
  },
});
