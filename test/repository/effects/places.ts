import type { Kind } from './outside-names.ts';

/** Where code runs, as far as that decides what it may do: what it may do there, and how a fault says where it is. */
const places = {
  story: { allows: [], says: 'in a story' },
  loading: { allows: [], says: 'while its file is loaded' },
  making: { allows: [], says: 'while steps are made' },
  /** What becomes a statement of the step's own transaction. */
  statement: { allows: ['rows', 'tells'], says: 'where the statement of a step is made' },
  refusal: { allows: [], says: 'where a refusal is explained' },
  /** Code inside the step's own transaction. */
  rows: { allows: ['rows', 'tells'], says: 'in the transaction of a step' },
  /** Between the row that says `sent` and the one that says `done`. */
  sending: { allows: ['writes', 'looks', 'database', 'rows'], says: 'in an outside step' },
  /** Looks whether what a person says of a step is so. */
  checking: { allows: ['looks', 'database'], says: 'in a check' },
  /** What upkeep calls when no operation runs. */
  upkeep: { allows: ['writes', 'looks', 'database', 'rows'], says: 'in upkeep' },
  /** Code of a caller, a loop or a process. */
  calling: { allows: ['looks', 'database', 'rows'], says: 'beside every step' },
} as const satisfies Readonly<Record<string, { readonly allows: readonly Kind[]; readonly says: string }>>;

export type Place = keyof typeof places;

export function allows(place: Place, kind: Kind): boolean {
  return (places[place].allows as readonly Kind[]).includes(kind);
}

export const saidOf = (place: Place): string => places[place].says;

/** The types by which code is handed to the engine, and the place of each of their members. */
const forms = {
  OutsideStep: { send: 'sending', undo: 'sending', check: 'checking' },
  AwaitedStep: { adopt: 'sending', undo: 'sending' },
  StatementStep: { effect: 'statement', refusal: 'refusal', undo: 'rows' },
  RowStep: { run: 'rows', undo: 'rows' },
  Registration: { sweep: 'upkeep', seed: 'statement' },
  Clearing: { due: 'upkeep', clear: 'upkeep' },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Place>>>>;

export type Form = keyof typeof forms;

export function formNamed(type: string | undefined): Form | undefined {
  return type !== undefined && Object.hasOwn(forms, type) ? (type as Form) : undefined;
}

export function placeOf(form: Form, member: string): Place | undefined {
  return (forms[form] as Readonly<Record<string, Place>>)[member];
}

/** The engine's functions that take such code: which of their arguments it is, and its form. */
export const takers: Readonly<Record<string, { readonly at: number; readonly form: Form }>> = {
  outsideActivities: { at: 1, form: 'OutsideStep' },
  awaitedActivities: { at: 1, form: 'AwaitedStep' },
  statementActivities: { at: 1, form: 'StatementStep' },
  rowActivities: { at: 1, form: 'RowStep' },
  rowStep: { at: 0, form: 'RowStep' },
  settleInClaim: { at: 2, form: 'StatementStep' },
};

/** Members of a step that the engine calls, and nobody else. */
export const engineCalls = new Set(['send', 'undo', 'adopt', 'effect']);
