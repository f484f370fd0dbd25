/** Whether the data of its subject were erased before a message was read: nothing is left to send or to act on. */
export function isErased(payload: unknown): boolean {
  return typeof payload === 'object' && payload !== null && 'erased' in payload && payload.erased === true;
}
