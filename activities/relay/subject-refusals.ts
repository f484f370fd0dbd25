/**
 * Tells a broker that takes nothing on one subject from one that takes nothing at all, such as where the relay has lost its rights. It
 * is the subject where the broker has taken another event since it refused this one.
 *
 * It remembers refusals that are not decided: those at the head of each shard, so a batch of each at most.
 */
export class SubjectRefusals {
  #taken = 0;
  /** How many events the broker had taken when it first refused this one. */
  readonly #refusedAt = new Map<string, number>();

  took(id: string): void {
    this.#taken += 1;
    this.#refusedAt.delete(id);
  }

  refused(id: string): void {
    if (!this.#refusedAt.has(id)) this.#refusedAt.set(id, this.#taken);
  }

  /** Whether it was the subject. Then it is asked once. */
  decides(id: string): boolean {
    const decided = this.#taken > (this.#refusedAt.get(id) ?? Number.POSITIVE_INFINITY);
    if (decided) this.#refusedAt.delete(id);
    return decided;
  }
}
