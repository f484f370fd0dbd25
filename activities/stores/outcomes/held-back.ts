import { Throttled } from './throttled.ts';

/** Our own protection of an outside system has turned the call away. Nothing left this process. */
export class HeldBack extends Throttled {
  /** Milliseconds. */
  declare readonly wait: number;
  constructor(message: string, wait: number) {
    super(message, wait);
  }
}
