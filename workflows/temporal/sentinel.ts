import { condition } from '@temporalio/workflow';

/** Runs for ever and does nothing. When it is missing, Temporal has lost its memory. */
export async function sentinel(): Promise<void> {
  await condition(() => false);
}
