/** What the SDK needs of the Web Locks API. */
export type Locks = {
  request<T>(name: string, options: { readonly signal?: AbortSignal }, run: () => Promise<T>): Promise<T>;
};

/**
 * Runs as the only tab that acts on a name: the others wait, and then find in the store what it did. The browser frees the
 * lock of a tab that was closed or has crashed.
 *
 * Without Web Locks all tabs act. They share the key by the store, so the server still does it once.
 */
export async function asLeader<T>(
  locks: Locks | undefined,
  name: string,
  signal: AbortSignal,
  run: () => Promise<T>,
): Promise<T> {
  return locks === undefined ? await run() : await locks.request(name, { signal }, run);
}
