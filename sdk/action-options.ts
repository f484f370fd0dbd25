import type { DeclaredFlow, InputOf } from './declared-flow.ts';

export type ActionOptions<F extends DeclaredFlow> = {
  /** The flow's name, such as `checkout`. */
  readonly flow: string;
  /** The flow's route, such as `checkouts`, or `orders/{orderId}/cancel` with a field of the input in braces. */
  readonly route: string;
  /** Tells actions of one flow apart that may be under way side by side, such as the cart's id. */
  readonly name?: string;
  /** The fields whose change makes it another action; by default all of them. */
  readonly intent?: readonly (keyof InputOf<F> & string)[];
  /** The fields of which nothing is stored, not even in a fingerprint: passwords. */
  readonly secret?: readonly (keyof InputOf<F> & string)[];
  /** It may harmlessly happen twice, so that its key need not outlive a refresh. */
  readonly harmless?: boolean;
};
