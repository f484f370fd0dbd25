/** One burst or one row of operations, as asked by the bench. */
export type Load = { readonly name: string; readonly operations: number; readonly atOnce: number };

export type Loaded = {
  /** Milliseconds of each operation, from the call to its outcome. */
  readonly latencies: readonly number[];
  /** Milliseconds from the first call to the last outcome. */
  readonly elapsed: number;
};

/** The same cart on both sides; each operation has its own name. */
export const cartOf = (name: string) => ({
  cartId: name,
  items: [{ sku: 'mug-blue', quantity: 1 }],
  paymentMethod: 'pm_card_visa',
  email: 'ada@example.com',
});

/** Runs operations, `atOnce` of them at any moment. */
export async function runLoad(
  { name, operations, atOnce }: Load,
  run: (name: string) => Promise<void>,
): Promise<Loaded> {
  const latencies: number[] = [];
  let next = 0;
  const started = performance.now();
  const caller = async (): Promise<void> => {
    while (next < operations) {
      next += 1;
      const asked = performance.now();
      await run(`${name}-${next}`);
      latencies.push(performance.now() - asked);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, caller));
  return { latencies, elapsed: performance.now() - started };
}
