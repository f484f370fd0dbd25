import { spawn } from 'node:child_process';

/** Ends our children when we die without a chance to do so: `kill -9`, a crash, a closed terminal. */
export type Keeper = {
  pid: number;
  /** Whether it is closed. A process that is started now would be left behind. */
  readonly closed: boolean;
  watch(pid: number, signal: NodeJS.Signals): void;
  forget(pid: number): void;
  /** Ends what is still watched, such as a part that was half started, and then the keeper itself. */
  close(): Promise<void>;
};

/**
 * A shell, because it must cost next to nothing (1 MB against Node's 45). It learns of our death by the end of its
 * input, which the kernel closes however we die. It ends process groups, not processes, so that grandchildren go too.
 * It sends each group its own signal first, and SIGKILL after 3 s: 30 looks, 0.1 s apart.
 */
const keeping = `
while read -r verb group signal; do
  rest=
  for entry in $kept; do [ "\${entry%:*}" = "$group" ] || rest="$rest $entry"; done
  kept=$rest
  [ "$verb" = watch ] && kept="$kept $group:$signal"
done
for entry in $kept; do kill -s "\${entry#*:}" -- "-\${entry%:*}" 2>/dev/null; done
looks=30
while [ "$looks" -gt 0 ]; do
  alive=
  for entry in $kept; do kill -s 0 -- "-\${entry%:*}" 2>/dev/null && alive=yes; done
  [ "$alive" ] || exit 0
  sleep 0.1
  looks=$((looks - 1))
done
for entry in $kept; do kill -s KILL -- "-\${entry%:*}" 2>/dev/null; done
`;

/** Starts the keeper: one for a stack or for a test run. */
export function startKeeper(): Keeper {
  // Detached: a signal to our own group, such as the terminal's Ctrl-C, must not take the keeper with it.
  const shell = spawn('/bin/sh', ['-c', keeping, 'hapax-keeper'], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const ended = new Promise<void>((resolve) => shell.once('exit', () => resolve()));
  shell.on('error', () => {}); // without a shell there is no keeper, and we run all the same
  shell.stdin.on('error', () => {});
  shell.unref();
  // To Node a pipe to a child is a socket, and it must not keep our event loop running.
  (shell.stdin as unknown as { unref(): void }).unref();
  let closed = false;
  return {
    pid: shell.pid ?? 0,
    get closed() {
      return closed;
    },
    watch: (pid, signal) => void shell.stdin.write(`watch ${pid} ${signal.replace('SIG', '')}\n`),
    forget: (pid) => void shell.stdin.write(`forget ${pid}\n`),
    async close() {
      closed = true;
      shell.ref();
      shell.stdin.end();
      await ended;
    },
  };
}
