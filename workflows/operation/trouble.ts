/** Why an open operation makes no progress, as people and programs see it. */
export type Trouble = {
  readonly step: string;
  /** Whether the step's undo is meant. */
  readonly undoing: boolean;
  /** What the last try has met, in a person's words. */
  readonly says: string;
  readonly since: Date;
  /** How many tries have failed since. */
  readonly tries: number;
  readonly nextTryAt: Date;
  /** It has lasted longer than its flow allows, or trying again cannot mend it. */
  readonly needsPerson: boolean;
};
