import type { Answered, Layer } from './layer.ts';

/**
 * Layers from the fastest to the one that decides. The faster ones only ever answer with what the last one has settled:
 * one that is away, has forgotten or holds nothing but a marker costs a question, and one more at the last. They know
 * an id by the place of the last one: one memory may stand before the rows of many tenants, whose ids may be equal.
 * @throws TypeError when there is none
 */
export function layered(layers: readonly Layer[]): Layer {
  const last = layers.at(-1);
  if (last === undefined)
    throw new TypeError('once needs a layer that decides: give at least one, the deciding one last');
  if (layers.length === 1) return last;
  const faster = layers.slice(0, -1);
  const nameOf = (id: string): string => JSON.stringify([...last.place, id]);

  /** Copies serve later calls, so that nobody waits for them. */
  const copy = (into: readonly Layer[], id: string, { answer, left }: Answered): void => {
    for (const layer of into) layer.copy(nameOf(id), answer, left).catch(() => undefined);
  };
  const lookFaster = async (id: string): Promise<Answered | undefined> => {
    for (const [index, layer] of faster.entries()) {
      const found = await layer.look(nameOf(id)).catch(() => undefined);
      if (found === undefined) continue;
      copy(faster.slice(0, index), id, found);
      return found;
    }
    return undefined;
  };

  return {
    ...last,
    look: async (id) => (await lookFaster(id)) ?? (await last.look(id)),
    async copy(id, answer, left) {
      copy(faster, id, { kind: 'answered', answer, left });
      await last.copy(id, answer, left);
    },
    async claim(id, terms) {
      const found = await lookFaster(id);
      if (found !== undefined) return found;
      const claimed = await last.claim(id, terms);
      if (claimed.kind === 'answered') copy(faster, id, claimed);
      return claimed;
    },
    async settle(id, hold, answer, window) {
      const settled = await last.settle(id, hold, answer, window);
      if (settled) copy(faster, id, { kind: 'answered', answer, left: window });
      return settled;
    },
  };
}
