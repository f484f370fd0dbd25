/** Retries come while earlier connections are not known to be dead, and each is to be answered; a flood is not. */
const ofOneUpload = 50;
/** A browser sends six at once, a backend service more; four such callers fit into one process. */
const ofOneSubject = 250;

/** Counts the bodies that come in at the same time: slow ones hold places, and those of one caller not everybody's. */
export class OpenBodies {
  readonly #uploads = new Map<string, number>();
  readonly #subjects = new Map<string, number>();

  /** @returns how to leave, or undefined where the upload or its subject has as many bodies on their way as it may */
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
