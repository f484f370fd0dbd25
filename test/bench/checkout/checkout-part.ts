import type { Part } from '../part.ts';
import { checkoutFigures } from './checkout-figures.ts';
import { type Round, runRound, warmUp } from './checkout-rounds.ts';
import { flushFigures } from './flush-figures.ts';
import { historyFigures } from './history-figures.ts';
import { statementFigures } from './statement-figures.ts';
import { startSides, stopSides } from './sides.ts';

/** Our checkout against the same one written plainly on Temporal, at the same servers. */
export const checkoutPart: Part = async ({ servers, rounds: count, say }) => {
  const sides = await startSides(servers);
  try {
    await warmUp(sides);
    const rounds: Round[] = [];
    for (let number = 0; number < count; number += 1) {
      rounds.push(await runRound(servers, sides, number));
      say(`checkout: round ${number + 1} of ${count}`);
    }
    const figures = [
      ...checkoutFigures(rounds),
      ...(await historyFigures(servers, 'one-0-0-1')),
      ...(await statementFigures(sides)),
      ...(await flushFigures(sides.hapax)),
    ];
    return { figures, raw: rounds };
  } finally {
    await stopSides(sides);
  }
};
