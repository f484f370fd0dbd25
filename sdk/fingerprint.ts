/** FNV-1a of 64 bits: the offset basis and the prime of its definition. */
const basis = 0xcbf29ce484222325n;
const prime = 0x100000001b3n;

/**
 * Tells whether the input of an action was changed. The order of members does not count.
 *
 * It needs no more than that: the server compares requests by SHA-256, and refuses a key that names another request. This
 * one needs no secure context and no promise, so the key exists before anything else happens.
 */
export function fingerprint(input: Readonly<Record<string, unknown>>): string {
  let hash = basis;
  for (const byte of new TextEncoder().encode(JSON.stringify(sorted(input))))
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * prime);
  return hash.toString(36);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null || 'toJSON' in value) return value;
  const members = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, sorted(member)]));
}
