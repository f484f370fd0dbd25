#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { NotDone } from './commands/not-done.ts';
import { keys } from './commands/keys.ts';
import { reconcile } from './commands/reconcile.ts';
import { sweep } from './commands/sweep.ts';
import { ConfigFault } from './config.ts';

/** `hapax`: what people do from a shell. Exit codes: 0 done, 1 not done, 2 wrong usage. */

const exit = { notDone: 1, wrongUsage: 2 } as const;

const program = new Command('hapax')
  .description(
    'Hapax from the shell. It works on DATABASE_URL and S3_*, or on the stack that npm start has brought up here.',
  )
  .showHelpAfterError()
  .exitOverride();
for (const command of [sweep(), reconcile(), keys()]) program.addCommand(inherit(command));

/** Commander hands settings down to commands that it makes itself, and not to those that are added. */
function inherit(command: Command): Command {
  command.copyInheritedSettings(program);
  for (const one of command.commands) inherit(one);
  return command;
}

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = codeOf(error as Error);
}

/** Says what is wrong, unless commander has done so. */
function codeOf(error: Error): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exit.wrongUsage;
  if (error instanceof ConfigFault || error instanceof NotDone) console.error(error.message);
  else if (/permission denied/.test(error.message))
    console.error(
      'PostgreSQL says: permission denied. DATABASE_URL needs a login that may act as hapax_upkeep, such as the one of npm run migrate.',
    );
  else console.error(`This could not be done: ${error.message}`);
  return exit.notDone;
}
