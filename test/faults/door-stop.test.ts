import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { operationId } from '../../workflows/operation/key.ts';
import { fastestOf } from '../support/fastest-of.ts';
import { checkoutScope } from '../support/lane.ts';
import { paidOnce, traces } from '../support/one-checkout.ts';
import type { ProcessHandle } from '../support/process-handle.ts';
import { heldRequest, plan } from '../support/provider-faults.ts';
import { World } from '../support/world.ts';

/** A door drains for 5 s; supervisors kill after 10 s. Milliseconds. */
const stopsWithin = 8_000;
/** Idle connections are looked for ten times a second. Milliseconds. */
const promptly = 3_000;

describe('a door that is told to stop', { timeout: 150_000 }, () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { doors: 0, upkeep: false });
  });
  afterAll(() => world.close());

  /** @returns how long the process took to end, in milliseconds */
  async function stopped(door: ProcessHandle): Promise<number> {
    const told = Date.now();
    door.signal('SIGTERM');
    await door.gone();
    return Date.now() - told;
  }

  /** @returns how long the door took to end once its last answer was under way. Milliseconds. */
  async function stoppedAtWork(nth: number): Promise<number> {
    const door = await world.start('workers/http.ts');
    const key = `last-${nth}`;
    const id = operationId(checkoutScope(world, key), 1);
    await plan(world, id, 'capture', { fault: 'hold_before', outlivesClient: true });
    const agent = new Agent({ keepAlive: true });
    const post = request(`${door.address}/v1/checkouts`, {
      method: 'POST',
      agent,
      headers: {
        authorization: 'Bearer local-alpha',
        'idempotency-key': key,
        'content-type': 'application/json',
      },
    });
    post.end(JSON.stringify(world.cart(key)));
    const answered = once(post, 'response') as Promise<[IncomingMessage]>;
    const release = await heldRequest(world, id);
    const ending = stopped(door);
    await release();
    const [answer] = await answered;
    expect(answer.statusCode).toBe(201);
    answer.resume();
    const took = await ending;
    expect(await traces(world, id)).toEqual(paidOnce);
    agent.destroy();
    return took;
  }

  it('gives the answers that are under way, and does not wait for connections that are kept for later', async () => {
    expect(await fastestOf(promptly, stoppedAtWork)).toBeLessThanOrEqual(promptly);
  });

  /** @returns how long the door took to end while somebody kept half a request open. Milliseconds. */
  async function stoppedHalfway(nth: number): Promise<number> {
    const door = await world.start('workers/http.ts');
    const { hostname, port } = new URL(door.address);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    socket.write('PUT /v1/uploads/op_00000000000000000000000000/content HTTP/1.1\r\nHost: door\r\n');
    const key = `waits-${nth}`;
    const id = operationId(checkoutScope(world, key), 1);
    await plan(world, id, 'authorise', { fault: 'hold_before', outlivesClient: true });
    const last = world.doors.push(door) - 1;
    const asked = { door: last, headers: { prefer: 'wait=30' } };
    const waiting = world.checkout(key, {}, asked).catch(() => undefined);
    const release = await heldRequest(world, id);
    const took = await stopped(door);
    await release();
    await waiting;
    await world.until('it is paid', async () => (await world.state(id)) === 'succeeded');
    expect(await traces(world, id)).toEqual(paidOnce);
    socket.destroy();
    return took;
  }

  it('ends in time, whatever half a request somebody keeps open', async () => {
    expect(await fastestOf(stopsWithin, stoppedHalfway)).toBeLessThanOrEqual(stopsWithin);
  });
});
