/** Runs `work` for each item, `atOnce` at a time: two cores carry a few workers that start, and no more. */
export async function eachAtOnce<T>(atOnce: number, items: readonly T[], work: (item: T) => Promise<void>) {
  const left = [...items];
  const runner = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, runner));
}
