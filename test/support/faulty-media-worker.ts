import { readConfig } from '../../workers/config.ts';
import { mediaSettings, startMedia } from '../../workers/media.ts';
import { runProcess } from '../../workers/process.ts';
import { harmAt, type Reach } from './boundaries/harm-at.ts';
import { watchedObjects } from './boundaries/watched-objects.ts';

/** The media worker as it ships, except that it is killed when it reaches one boundary of the store: POINT [TIMES]. */
const [point = '', times = '1'] = process.argv.slice(2);

const kill = harmAt(point, 'kill');
let reached = 0;
const reach: Reach = async (there) => {
  if (there === point) reached += 1;
  if (reached === Number(times)) await kill(there);
};
await runProcess('media', () =>
  startMedia(readConfig(mediaSettings), (own) => ({ ...own, objects: watchedObjects(own.objects, reach) })),
);
