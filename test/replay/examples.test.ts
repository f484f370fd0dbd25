import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { flows } from '../../workflows/flows.ts';
import { isPosted } from '../../workflows/operation/flow.ts';
import { exampleOf } from '../support/matrix/flow-callers.ts';
import { replayStories } from './replay-stories.ts';

/** A flow that has no file of its own here is recorded from the example of its request. */
const plain = flows
  .filter(({ workflow }) => workflow === 'tells')
  .filter(isPosted)
  .filter(({ name }) => !existsSync(new URL(`${name}.test.ts`, import.meta.url)));

it('each flow without a file of its own is recorded from its example', () => {
  const waiting = plain.filter(({ steps }) => Object.values(steps).some(({ effect }) => effect === 'await'));
  expect(waiting.map(({ name }) => `${name} waits: tell its ends in test/replay/${name}.test.ts`)).toEqual([]);
});

for (const flow of plain)
  replayStories(flow.name, {
    alone: (world, key) => world.ask('POST', `/v1/${flow.route}`, { key, body: exampleOf(flow) }),
  });
