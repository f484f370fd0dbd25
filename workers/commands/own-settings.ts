import { type Config, environmentWith, given, readConfig, type Setting } from '../config.ts';
import { runningStack } from '../local/stack-file.ts';

/**
 * Settings from the environment. Where it says nothing of a database, those of the stack that `npm start` has brought up here.
 * @throws ConfigFault
 */
export async function ownSettings<const K extends Setting>(wanted: readonly K[]): Promise<Pick<Config, K>> {
  if (given('DATABASE_URL') !== undefined) return readConfig(wanted);
  const { HAPAX_STATE_DIRECTORY: directory } = readConfig(['HAPAX_STATE_DIRECTORY']);
  return readConfig(wanted, environmentWith({ ...(await runningStack(directory)) }));
}
