import { readFile, writeFile } from 'node:fs/promises';
import { temporal } from '@temporalio/proto';

const { History } = temporal.api.history.v1;
type History = temporal.api.history.v1.IHistory;

const here = new URL('../../', import.meta.url);
/** A process of the SDK calls itself `{process id}@{host}`. */
const identity = /"\d+@[^"]+"/g;
/** An identity, an absolute path, or an address that only one machine knows. */
const tells = /^\d+@|file:\/\/|(^|[\s("'])\/(home|root|tmp|usr|opt|var|Users)\/|127\.0\.0\.1|localhost/;

/**
 * Histories as JSON, by protobufjs' own conversion: the SDK's `historyToJSON` fails where two copies of protobufjs are
 * installed (1.24.0: "type must be a Type").
 */
export async function writeHistory(file: URL, history: History): Promise<void> {
  const plain = History.toObject(History.fromObject(history), { longs: String, enums: String, bytes: String });
  // Stack traces and identities name the machine that recorded; a replay does not read them.
  const text = JSON.stringify(plain, null, 1)
    .replaceAll(here.href, '')
    .replaceAll(here.pathname, '')
    .replaceAll(identity, '"recorder"');
  await writeFile(file, `${text}\n`);
}

export async function readHistory(file: URL): Promise<History> {
  return History.fromObject(JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>);
}

/** @returns what in a history, payloads included, tells of the machine that recorded it */
export function machineIn(history: History): string[] {
  const found: string[] = [];
  const look = (value: unknown): void => {
    const text = value instanceof Uint8Array ? Buffer.from(value).toString() : value;
    if (typeof text === 'string' && (tells.test(text) || text.includes(here.pathname))) found.push(text);
    else if (typeof text === 'object' && text !== null) Object.values(text).forEach(look);
  };
  look(History.toObject(History.fromObject(history), { longs: String, enums: String }));
  return found;
}
