/** Four such names are the primary key of a position, and an entry of an index has 2.7 kB at most. Bytes of UTF-8. */
export const longestName = 255;

/** Whether PostgreSQL can keep a name in a key. It takes no NUL and no half of a surrogate pair, and no other control character belongs into a name. */
export function isSoundName(text: string): boolean {
  return text !== '' && text.isWellFormed() && Buffer.byteLength(text) <= longestName && !/\p{Cc}/u.test(text);
}
