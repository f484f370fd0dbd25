import { claimAndSettle } from './claim-and-settle.ts';
import { claimAndStart, type ClaimParts, type Started } from './claim-and-start.ts';
import type { ClaimTurns } from './claim-turns.ts';
import type { AnswerEpoch } from './answer-epoch.ts';
import type { Asked } from './asked.ts';
import type { CopiedAnswers } from './copied-answers.ts';
import type { NotBegun } from './reply.ts';

/** What the ledger's row says, or a copy of it. */
export type Found = Started & {
  readonly from: 'redis' | 'ledger';
  /** The epoch from before it was read. A copy of its answer carries it: what changes meanwhile makes that stale. */
  readonly epoch: number;
};

export type CopyParts = {
  /** Copies of settled answers that processes share. Without it, there are none. */
  readonly copies?: CopiedAnswers;
  /** Without it, copies end by their time alone. */
  readonly epoch?: Pick<AnswerEpoch, 'now' | 'isFresh'>;
};

/** Finds the settled answer where processes share it, or has the ledger decide. */
export async function claimOrCopy(
  parts: ClaimParts & CopyParts & { readonly turns: ClaimTurns },
  asked: Asked,
): Promise<Found | NotBegun> {
  const epoch = parts.epoch?.now ?? 0;
  // Copies that may be stale are not looked at.
  const copy = parts.epoch?.isFresh ? await parts.copies?.find(asked, epoch) : undefined;
  if (copy !== undefined) return { ...copy, from: 'redis', epoch };
  const claim = asked.flow.workflow === 'never' ? claimAndSettle : claimAndStart;
  const claimed = await claim(parts, asked);
  return claimed.kind === 'claimed' ? { ...claimed, from: 'ledger', epoch } : claimed;
}
