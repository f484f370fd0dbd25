import type { AnyFlow, RequestOf } from '../operation/flow.ts';
import type { Progress } from './progress.ts';
import type { Teller } from './teller.ts';

/** Input and result of each step. The activities declare them, and stories import them as types. */
export type StepSignatures = Readonly<Record<string, { readonly input: unknown; readonly result: unknown }>>;

/** What a story has while it is told. Stories read `request`, `deadline` and `id`; the rest is the engine's. */
export type Story<F extends AnyFlow = AnyFlow, S extends StepSignatures = StepSignatures> = {
  readonly flow: F;
  readonly id: string;
  readonly request: RequestOf<F>;
  readonly requestId: string;
  readonly deadline: number | null;
  readonly teller: Teller;
  readonly progress: Progress;
  /** Never set. It ties the steps' signatures to the story's type. */
  readonly signatures?: S;
};
