/**
 * Where the key of an action is kept until its outcome was seen: texts by name. A store may answer at once or later. It holds
 * no input and no result.
 */
export type ActionStore = {
  get(name: string): string | undefined | Promise<string | undefined>;
  set(name: string, text: string): void | Promise<void>;
};

/** The browser's localStorage, which outlives a refresh, a crash and a restart, and is shared by tabs. */
export function localStore(): ActionStore {
  return {
    get: (name) => localStorage.getItem(name) ?? undefined,
    set: (name, text) => localStorage.setItem(name, text),
  };
}

/** Memory alone, which a refresh empties: for actions that may harmlessly happen twice, and for tests. */
export function memoryStore(): ActionStore {
  const texts = new Map<string, string>();
  return {
    get: (name) => texts.get(name),
    set: (name, text) => void texts.set(name, text),
  };
}
