import type { WorkflowHandle } from '@temporalio/client';

/**
 * How many tasks of a run were lost. A worker that gets no processor for two seconds loses its task; the next try tells the story
 * again, and takes the operation over.
 */
export async function lostTasks(run: WorkflowHandle): Promise<number> {
  const { events } = await run.fetchHistory();
  // Of several losses in a row Temporal keeps the number alone.
  const attempts = (events ?? []).map((event) => event.workflowTaskScheduledEventAttributes?.attempt ?? 1);
  return attempts.reduce((sum, attempt) => sum + attempt - 1, 0);
}
