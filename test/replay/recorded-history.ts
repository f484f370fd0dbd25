import { readFile, writeFile } from 'node:fs/promises';
import { temporal } from '@temporalio/proto';

const { History } = temporal.api.history.v1;
type History = temporal.api.history.v1.IHistory;

/**
 * Histories as JSON, by protobufjs' own conversion: the SDK's `historyToJSON` fails where two copies of protobufjs are
 * installed (1.24.0: "type must be a Type").
 */
export async function writeHistory(file: URL, history: History): Promise<void> {
  const plain = History.toObject(History.fromObject(history), { longs: String, enums: String, bytes: String });
  // Stack traces name the machine that recorded; a replay does not read them.
  const here = new URL('../../', import.meta.url);
  const text = JSON.stringify(plain, null, 1).replaceAll(here.href, '').replaceAll(here.pathname, '');
  await writeFile(file, `${text}\n`);
}

export async function readHistory(file: URL): Promise<History> {
  return History.fromObject(JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>);
}
