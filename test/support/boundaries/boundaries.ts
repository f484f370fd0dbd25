/**
 * What meets an operation at the boundaries that its worker passes. Steps: `{step}:before-effect`, `:after-effect`,
 * `:after-record`; undos: `{step}.undo:…`; the ledger's moves `take`, `compensate` and `settle`: `:before-record` and
 * `:after-record`. No boundary knows a flow or the client of an outside system.
 */
export type Boundaries = {
  /** Comes to a boundary; resolves when the operation may go on. */
  reach(operation: string, point: string): Promise<void>;
  /** Resolves when the operation stands at no boundary. */
  stands(operation: string): Promise<void>;
  /** Whether what comes from outside during this try of the step is lost. */
  loses(operation: string, step: string): boolean;
};
