import { type Harm, harmAt } from './boundaries/harm-at.ts';
import { startHarmed } from './boundaries/start-harmed.ts';

/** An operations worker that is killed or frozen when it reaches one boundary: HARM POINT. */
const [harm = 'kill', point = ''] = process.argv.slice(2);

await startHarmed(harmAt(point, harm as Harm));
