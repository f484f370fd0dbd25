/**
 * Thrown by a submit whose input differs from that of an earlier one that may still have its effect. Nothing was sent. The
 * state shows the earlier action: wait for its end, show it, call `seen()`, and submit again.
 */
export class EarlierActionOpen extends Error {
  override readonly name = 'EarlierActionOpen';

  constructor(key: string) {
    super(
      `An earlier action (key ${key}) with other input may still have its effect, so nothing was sent. Show its state, call ` +
        `seen() once the person has seen how it ended, and submit again. For an independent action, give it a name of its own.`,
    );
  }
}
