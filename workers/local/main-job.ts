import { randomUUID } from 'node:crypto';
import type { Say } from './say.ts';
import { openDoor } from './door.ts';
import { checkoutOnce } from './main-job-checkout.ts';
import { uploadOnce } from './main-job-upload.ts';

type MainJob = {
  checkoutWorkflow: string | undefined;
  uploadWorkflow: string | undefined;
  /** What was expected and what was found instead; empty when all went well. */
  faults: string[];
};

/**
 * What `npm start` shows before it leaves the stack to its user: the two flows on real input, through the HTTP API that
 * everyone uses. If one fails, the other is still shown.
 */
export async function runMainJob(options: {
  /** Address of the HTTP API. */
  http: string;
  token: string;
  /** Address of the payment sandbox, where there is one to count charges at. */
  sandboxUrl?: string | undefined;
  /** A JPEG file. */
  photograph: string;
  say: Say;
}): Promise<MainJob> {
  const door = openDoor(options.http, options.token);
  // A new key at each start: every start does the job, and does it once.
  const run = randomUUID().slice(0, 8);
  const faults: string[] = [];
  const collect = (fault: Error) => {
    faults.push(fault.message);
    options.say(`  failed: ${fault.message}`);
    return undefined;
  };
  const checkoutWorkflow = await checkoutOnce({ ...options, door, key: `checkout-${run}` }).catch(collect);
  const uploadWorkflow = await uploadOnce({ ...options, door, key: `upload-${run}` }).catch(collect);
  return { checkoutWorkflow, uploadWorkflow, faults };
}
