/** The downstream key is spent, and it is proven that it had no effect: the ledger may give out a new one. */
export class EffectFree extends Error {
  override readonly name = 'EffectFree';
}
