import { readFileSync } from 'node:fs';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Why the value of a setting cannot be read. The message never holds a secret. */
export class SettingFault extends Error {
  override readonly name = 'SettingFault';
}

/**
 * Reads a setting from the environment: its own variable, or the content of the file that `NAME_FILE` names, which is
 * how Docker and Kubernetes pass secrets. An empty one counts as not set.
 * @throws SettingFault when both are set, or the file cannot be read
 */
export function settingValue(name: string, environment: Environment): string | undefined {
  return name === 'DATABASE_URL' ? databaseUrl(environment) : plainValue(name, environment);
}

/** The variables that give a setting. Replacing it means replacing them all. */
export function variablesOf(name: string): readonly string[] {
  return name === 'DATABASE_URL' ? ['DATABASE_URL', 'DATABASE_PASSWORD'].flatMap(withFile) : withFile(name);
}

const withFile = (name: string): string[] => [name, `${name}_FILE`];

function plainValue(name: string, environment: Environment): string | undefined {
  const value = environment[name];
  const file = environment[`${name}_FILE`];
  if (!file) return value;
  const content = contentOf(name, file);
  if (content === '') return value;
  if (value) throw new SettingFault(`${name} and ${name}_FILE are both set: unset one of them`);
  return content;
}

function contentOf(name: string, file: string): string {
  try {
    // Editors and `echo` end a file with a newline, which no setting of ours ends with.
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (fault) {
    const { code } = fault as NodeJS.ErrnoException;
    throw new SettingFault(
      `${name}_FILE names ${JSON.stringify(file)}, which cannot be read (${code}): name a file that this process may read`,
    );
  }
}

/** The address of PostgreSQL with its password encoded: a literal `@`, `/` or `#` would end the address early. */
function databaseUrl(environment: Environment): string | undefined {
  const address = plainValue('DATABASE_URL', environment);
  const password = plainValue('DATABASE_PASSWORD', environment);
  if (!address || !password || !URL.canParse(address)) return address;
  const url = new URL(address);
  if (url.password !== '')
    throw new SettingFault('DATABASE_URL holds a password and DATABASE_PASSWORD is set: give it in one of them');
  url.password = encodeURIComponent(password);
  return url.href;
}
