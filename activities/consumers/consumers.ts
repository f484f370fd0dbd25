import type { Consumer } from '../consume/define-consumer.ts';
import { usage } from './usage.ts';

/** The consumers of the product. Each has a name of its own, which is part of its claims. */
export const consumers: readonly Consumer[] = [usage];
