import type { Figure } from './measure/figure.ts';
import type { Servers } from './stack/servers.ts';

type Bench = { readonly servers: Servers; readonly rounds: number; readonly say: (line: string) => void };

/** One part of the bench: what it measured, and the numbers that this was made of. */
export type Part = (bench: Bench) => Promise<{ readonly figures: readonly Figure[]; readonly raw: unknown }>;
