import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** Questions and answers over the pipe between the bench and a process of its own. */

type Question = { readonly id: number; readonly ask: string; readonly with: unknown };
type Answer = { readonly id: number; readonly value?: unknown; readonly fault?: string };

export type Partner = {
  readonly pid: number;
  ask<Value>(question: string, argument?: unknown): Promise<Value>;
  stop(): Promise<void>;
};

/** Starts a Node process that answers questions. @throws when it ends before it is ready */
export async function startPartner(
  path: string,
  argument: unknown,
  execArgv: readonly string[] = [],
): Promise<Partner> {
  const child: ChildProcess = fork(path, [JSON.stringify(argument)], { execArgv: [...execArgv] });
  const waiting = new Map<number, (answer: Answer) => void>();
  let asked = 0;
  child.on('message', (answer: Answer) => {
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  const ended = once(child, 'exit');
  void ended.then(() => {
    for (const answer of waiting.values()) answer({ id: 0, fault: `${path} has ended` });
  });
  const ask = async <Value>(question: string, given?: unknown): Promise<Value> => {
    asked += 1;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    waiting.set(asked, resolve);
    child.send({ id: asked, ask: question, with: given } satisfies Question);
    const { value, fault } = await promise;
    if (fault !== undefined) throw new Error(fault);
    return value as Value;
  };
  await ask('ready');
  return {
    pid: child.pid as number,
    ask,
    async stop() {
      if (child.exitCode === null) child.kill('SIGTERM');
      await ended;
    },
  };
}

/** In the process: answers questions until it is told to stop, or its asker is gone. */
export function answerQuestions(
  answers: Readonly<Record<string, (argument: never) => unknown>>,
  stop: () => Promise<void>,
): void {
  const reply = async ({ id, ask, with: given }: Question): Promise<void> => {
    const answer = ask === 'ready' ? () => null : answers[ask];
    try {
      if (answer === undefined) throw new Error(`Nothing answers ${ask}`);
      process.send?.({ id, value: (await answer(given as never)) ?? null } satisfies Answer);
    } catch (error) {
      process.send?.({ id, fault: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  };
  process.on('message', (question: Question) => void reply(question));
  const end = (): void => void stop().finally(() => process.exit(0));
  process.once('SIGTERM', end);
  process.once('disconnect', end);
}

/** What the process was started with. */
export function given<Value>(): Value {
  return JSON.parse(process.argv[2] ?? 'null') as Value;
}
