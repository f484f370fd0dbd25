import { condition } from '@temporalio/workflow';

/** Stands there and does nothing: when it is missing, Temporal has lost its memory. */
export async function sentinel(): Promise<void> {
  await condition(() => false);
}
