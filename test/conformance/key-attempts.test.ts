import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { operationId } from '../../workflows/operation/key.ts';
import { checkoutScope } from '../support/lane.ts';
import { heldRequest, plan } from '../support/provider-faults.ts';
import { World } from '../support/world.ts';

const atMost = 5;
const now = { headers: { prefer: 'wait=0' } };

describe('a key whose operation is open', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { doors: 2, env: { HAPAX_ASKS_PER_KEY: String(atMost) } });
    // A third process that remembers no answers: replays come from the ledger.
    world.doors.push(await world.start('workers/http.ts', { HAPAX_ANSWER_CACHE: '0' }));
  });
  afterAll(() => world.close());

  it.each([
    { layer: 'memory', door: 0 },
    { layer: 'the ledger', door: 2 },
  ])('is asked for only so often in a minute; its answer, from $layer, is never refused', async ({ door }) => {
    const key = `asked-often-${door}`;
    const id = operationId(checkoutScope(world, key), 1);
    await plan(world, id, 'capture', { fault: 'hold_before', outlivesClient: true, times: 10 });
    const ask = (changes = {}) => world.checkout(key, changes, { ...now, door });
    const first = await ask();
    expect(first.headers.get('idempotency-status')).toBe('created');
    const release = await heldRequest(world, id);

    for (let n = 0; n < atMost; n += 1) expect((await ask()).status).toBe(409);
    const refused = await ask();
    expect([refused.status, refused.json.code]).toEqual([429, 'too-many-requests']);
    expect(refused.json).toMatchObject({
      retryable: true,
      sameKeySafe: true,
      action: 'wait',
      operationUrl: `/v1/operations/${id}`,
    });
    const pause = Number(refused.headers.get('retry-after'));
    expect(pause).toBe(refused.json.retryAfter);
    expect(pause).toBeGreaterThan(0);
    expect(pause).toBeLessThanOrEqual(60);

    // Questions, other keys and a misuse are not counted.
    for (let n = 0; n < 2 * atMost; n += 1)
      expect((await world.ask('GET', `/v1/operations/${id}`, { door })).status).toBe(200);
    expect((await world.checkout(`${key}-another`, {}, { door, headers: { prefer: 'wait=30' } })).status).toBe(201);
    expect((await ask({ cartId: 'another' })).status).toBe(422);
    expect((await ask()).status).toBe(429);
    // Each process counts for itself.
    expect((await world.checkout(key, {}, { ...now, door: 1 })).status).toBe(409);

    await release();
    await world.sandboxControl('DELETE', 'faults');
    await world.sandboxControl('POST', 'release', { all: true });
    await world.until('it is paid', async () => (await world.state(id)) === 'succeeded', 30_000);
    const settled = await ask();
    expect(settled.status).toBe(201);
    for (let n = 0; n < 3 * atMost; n += 1) {
      const again = await ask();
      expect([again.status, again.text, again.headers.get('idempotent-replayed')]).toEqual([201, settled.text, 'true']);
    }
  });
});
