import type { Refusal } from '../../workflows/operation/outcome.ts';

/** Retries come before earlier connections are known to be dead, and each must get an answer. A flood need not. */
const ofOneUpload = 50;
/** A browser sends six at once, and a backend service more. Four callers at this limit fit into one process. */
const ofOneSubject = 250;

/**
 * Counts the bodies that are being received. Slow bodies occupy places, and those of one caller must not occupy all of
 * them.
 */
export class OpenBodies {
  readonly #uploads = new Map<string, number>();
  readonly #subjects = new Map<string, number>();

  /**
   * @returns a function to call at the end, or undefined when the upload or its subject has as many bodies under way as
   *   it may
   */
  enter(upload: { readonly id: string; readonly tenant: string; readonly subject: string }): (() => void) | undefined {
    const subject = JSON.stringify([upload.tenant, upload.subject]);
    const full =
      (this.#uploads.get(upload.id) ?? 0) >= ofOneUpload || (this.#subjects.get(subject) ?? 0) >= ofOneSubject;
    if (full) return undefined;
    const leave = [count(this.#uploads, upload.id), count(this.#subjects, subject)];
    return () => {
      for (const each of leave) each();
    };
  }
}

function count(counts: Map<string, number>, name: string): () => void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
  return () => {
    const left = (counts.get(name) ?? 1) - 1;
    if (left === 0) counts.delete(name);
    else counts.set(name, left);
  };
}

/** For a body that finds no place. */
export const crowded: Refusal = {
  code: 'too-many-requests',
  detail:
    'Too many transfers of this upload, or of this caller, are under way: end one of them, then send the bytes again.',
};
