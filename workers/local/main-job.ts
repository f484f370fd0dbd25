import { randomUUID } from 'node:crypto';
import type { Say } from './say.ts';
import { openDoor } from './door.ts';
import { checkoutOnce } from './main-job-checkout.ts';
import { uploadOnce } from './main-job-upload.ts';

/** What `npm start` shows before it leaves the stack to people: the two flows on real input, through the door everyone uses. */
export type MainJob = { checkoutWorkflow: string | undefined; uploadWorkflow: string | undefined };

/** @throws with what was expected and what was found */
export async function runMainJob(options: {
  /** Address of the HTTP door. */
  http: string;
  token: string;
  /** Address of the payment sandbox, where there is one to count charges at. */
  sandboxUrl?: string | undefined;
  /** A JPEG file. */
  photograph: string;
  say: Say;
}): Promise<MainJob> {
  const door = openDoor(options.http, options.token);
  // A new key each time: the job is done each time, and once.
  const run = randomUUID().slice(0, 8);
  const checkoutWorkflow = await checkoutOnce({ ...options, door, key: `checkout-${run}` });
  const uploadWorkflow = await uploadOnce({ ...options, door, key: `upload-${run}` });
  return { checkoutWorkflow, uploadWorkflow };
}
