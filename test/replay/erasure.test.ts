import { replayStories } from './replay-stories.ts';

replayStories('erasure', {
  done: (world, key) =>
    world.ask('POST', '/v1/subjects/customer-4711/erase', { key, token: 'operator-alpha', body: {} }),
});
