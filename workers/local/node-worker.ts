import { access } from 'node:fs/promises';
import { basename } from 'node:path';
import { environmentWith } from '../config.ts';
import { startChild } from './child.ts';
import type { Keeper } from './keeper.ts';
import type { Running } from './supervise.ts';
import { untilReady } from './until-ready.ts';

/** Starts one of our own processes; ready when `readyUrl` answers 2xx. */
export async function startNodeWorker(options: {
  name: string;
  script: string;
  args?: readonly string[];
  environment: Record<string, string>;
  readyUrl: string;
  logFile: string;
  keeper?: Keeper | undefined;
  /** What a person can do when it does not start. */
  advice?: string;
}): Promise<Running> {
  await access(options.script).catch(() => {
    throw new Error(`${basename(options.script)} is missing from this copy of Hapax: fetch it again`);
  });
  const child = await startChild({
    command: process.execPath,
    args: [options.script, ...(options.args ?? [])],
    environment: environmentWith(options.environment),
    logFile: options.logFile,
    keeper: options.keeper,
  });
  await untilReady({
    what: `The process ${options.name}`,
    child,
    probe: () => expectAnswer(options.readyUrl),
    advice: options.advice ?? `See ${options.logFile}.`,
  });
  return { pid: child.pid, ended: child.ended, stop: (patience) => child.stop(patience) };
}

async function expectAnswer(url: string): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`${url} answers ${response.status}`);
}
