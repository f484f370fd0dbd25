/** What to say where a text is none. The text itself may hold a password, and is not told. */
export const redisAddress =
  'address of Redis or Valkey, such as redis://:password@127.0.0.1:6379, with #, /, ? and % of the password encoded';

/**
 * Whether a text is an address that the client can read. A `#`, `/` or `?` of a password that is not encoded ends the
 * address early: its host is then something else, and the fault of whoever reads it shows the password.
 */
export function isRedisAddress(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || !/^rediss?:$/.test(url.protocol) || url.hostname === '') return false;
  if (url.hash !== '' || url.search.includes('@') || !/^(\/\d*)?$/.test(url.pathname)) return false;
  try {
    decodeURIComponent(`${url.username}:${url.password}`);
    return true;
  } catch {
    return false;
  }
}
