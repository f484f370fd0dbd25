/** Why an operation makes no progress, or that its money does not add up (step `money`), as people and programs see it. */
export type Trouble = {
  readonly step: string;
  /** Whether this is about the step's undo. */
  readonly undoing: boolean;
  /** Why the last try failed, as a sentence for people. */
  readonly says: string;
  readonly since: Date;
  /** How many tries have failed since then. */
  readonly tries: number;
  readonly nextTryAt: Date;
  /** `person` if it has lasted longer than the flow allows, or if trying again cannot mend it. */
  readonly needsPerson: boolean;
};
