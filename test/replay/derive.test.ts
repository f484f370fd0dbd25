import { deriveFlow } from '../../workflows/derive.flow.ts';
import { exampleOf, prepare } from '../support/matrix/flow-callers.ts';
import { Uploader } from '../support/uploader.ts';
import { replayStories, type Told } from './replay-stories.ts';

/** Longer than it takes. Milliseconds. */
const longest = 30_000;

const told =
  (contentIsThere: boolean): Told =>
  async (world, key) => {
    const tenant = world.tenants.alpha;
    const uploader = await Uploader.of(world);
    const said = contentIsThere ? await prepare(deriveFlow, world, tenant) : {};
    const request = { ...exampleOf(deriveFlow), ...said };
    const call = { tenant, environment: 'test', subject: 'default', key, request: request as never } as const;
    await uploader.gateway.run(deriveFlow, call, longest);
    await uploader.close();
  };

replayStories('derive', { made: told(true), gone: told(false) }, { media: true });
