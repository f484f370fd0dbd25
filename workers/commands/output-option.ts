import { Option } from 'commander';

/** Every command prints for people, or JSON for programs. */
export function outputOption(): Option {
  return new Option('-o, --output <format>', 'how it is printed').choices(['table', 'json']).default('table');
}
