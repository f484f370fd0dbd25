import { Context } from '@temporalio/activity';

/** Says how far the work has come. @throws where Temporal has given the work up */
type Progress = (how: unknown) => void;

/** An activity that is no step: it takes long, says how far it has come, and stops where nobody waits for it any more. */
export function longActivity<Result>(work: (progress: Progress) => Promise<Result>): () => Promise<Result> {
  return async () => {
    const context = Context.current();
    return await work((how) => {
      context.cancellationSignal.throwIfAborted();
      context.heartbeat(how);
    });
  };
}
