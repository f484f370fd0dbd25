/**
 * A key for one action: 128 random bits. Its prefix keeps a key of digits alone from looking like a card number, which the
 * server refuses. `crypto.randomUUID` is missing on pages without https.
 */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `act_${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
