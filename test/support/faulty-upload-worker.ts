import { harmAt } from './boundaries/harm-at.ts';
import { startHarmed } from './boundaries/start-harmed.ts';
import { watchedObjects } from './boundaries/watched-objects.ts';

/** An operations worker that is killed when it reaches one boundary of ledger or store: POINT. */
const [point = ''] = process.argv.slice(2);

const reach = harmAt(point, 'kill');
await startHarmed(reach, (own) => ({ ...own, objects: watchedObjects(own.objects, reach) }));
