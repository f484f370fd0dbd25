/** One line of the result. */
export type Figure = {
  readonly name: string;
  readonly hapax?: number;
  readonly plain?: number;
  /** What is held against the target, if there is one; else only told. */
  readonly value?: number;
  readonly unit: string;
  readonly target?: { readonly atMost: number } | { readonly atLeast: number };
};

/** @returns undefined where nothing was promised */
export function isMet({ value, target }: Figure): boolean | undefined {
  if (target === undefined || value === undefined) return undefined;
  return 'atMost' in target ? value <= target.atMost : value >= target.atLeast;
}
