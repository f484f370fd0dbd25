import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { NatsServer } from '../support/nats-server.ts';

/** What we count on the broker for. */

let broker: NatsServer;
beforeAll(async () => {
  const { natsServer, root } = inject('ground');
  broker = await NatsServer.start(natsServer, root);
});
afterAll(() => broker.stop());

it('keeps what it has acknowledged over a kill, and knows its id again afterwards', async () => {
  const publish = () => broker.ask((connection) => jetstream(connection).publish('kept.a', 'one', { msgID: 'msg_1' }));
  await broker.ask(async (connection) => {
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: 'KEPT', subjects: ['kept.>'] });
  });
  expect(await publish()).toMatchObject({ seq: 1, duplicate: false });
  await broker.kill();
  await broker.startAgain();
  expect(await publish()).toMatchObject({ seq: 1, duplicate: true });
});
