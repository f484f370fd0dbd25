/** A service: the settings that our processes need to reach it, and the addresses that people are shown. */
export type Service = { environment: Record<string, string>; addresses: Record<string, string> };

/** @throws naming the variable, when a service that the user provides does not answer */
export async function reachable(variable: string, what: string, probe: () => Promise<unknown>): Promise<void> {
  await probe().catch((fault: Error) => {
    // The error of fetch says only that it failed. Its cause says why.
    const cause = fault.cause instanceof Error ? fault.cause : fault;
    const reason = cause.message || (cause as { code?: string }).code || cause.name;
    throw new Error(
      `${variable} is set, but ${what} there cannot be used: ${reason}. Correct ${variable}, or unset it.`,
    );
  });
}
