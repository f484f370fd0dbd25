/** What our processes are told about a service, and what people are told. */
export type Service = { environment: Record<string, string>; addresses: Record<string, string> };

/** @throws naming the variable, when a person's own service does not answer */
export async function reachable(variable: string, what: string, probe: () => Promise<unknown>): Promise<void> {
  await probe().catch((fault: Error) => {
    // What fetch throws says only that it failed; its cause says why.
    const told = fault.cause instanceof Error ? fault.cause : fault;
    const reason = told.message || (told as { code?: string }).code || told.name;
    throw new Error(
      `${variable} is set, but ${what} there cannot be used: ${reason}. Correct ${variable}, or unset it.`,
    );
  });
}
