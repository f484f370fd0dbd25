import { signupFlow } from '../../workflows/signup.flow.ts';
import { ownGateway } from '../support/own-flows.ts';
import type { World } from '../support/world.ts';
import { replayStories } from './replay-stories.ts';

/** Signs up, and lets this become of the wait for the address. */
const told = (become: (world: World, id: string) => Promise<unknown>) => async (world: World, key: string) => {
  const body = { email: `${key}@example.com`, password: 'correct horse battery staple', name: 'Ann' };
  const { json } = await world.ask('POST', '/v1/signups', { key, body });
  await world.until('it waits', async () => (await world.state(json.id)) === 'waiting');
  await become(world, json.id as string);
};

replayStories('signup', {
  confirmed: told(async (world, id) => {
    const { gateway, close } = await ownGateway(world.env);
    const record = await gateway.status(world.tenants.alpha, id);
    if (record !== undefined) await gateway.arrive(signupFlow, record, 'verify', { address: 'confirmed' });
    await world.until('it is confirmed', async () => (await world.state(id)) === 'succeeded');
    await close();
  }),
  expired: told(async (world, id) => {
    const { gateway, close } = await ownGateway(world.env);
    const record = await gateway.status(world.tenants.alpha, id);
    await world.sql('update hapax.operation set deadline = now() where id = $1', id);
    if (record !== undefined) await gateway.signal(record, 'wake');
    await world.until('it has expired', async () => (await world.state(id)) === 'expired');
    await close();
  }),
  cancelled: told((world, id) => world.ask('POST', `/v1/operations/${id}/cancel`)),
});
