import type { SlowHashes } from '../../activities/seal/slow-hashes.ts';
import type { AnyFlow } from '../../workflows/operation/flow.ts';

type Request = Readonly<Record<string, unknown>>;

/** Whether a new operation of this request needs a slow hash. */
export function hashesAny(flow: AnyFlow, request: Request): boolean {
  return presentOf(flow, request).length > 0;
}

/**
 * @returns the request with hashes in place of its passwords
 * @throws HashesBusy where too many wait
 * @throws TypeError where the process was not given what hashes them
 */
export async function hashedRequest(
  hashes: SlowHashes | undefined,
  flow: AnyFlow,
  request: Request,
): Promise<Record<string, unknown>> {
  const hashed: Record<string, unknown> = { ...request };
  for (const field of presentOf(flow, request)) {
    if (hashes === undefined)
      throw new TypeError(`Flow ${flow.name} keeps a hash of ${field}: give the gateway what makes it (\`hashes\`).`);
    hashed[field] = await hashes.hash(request[field] as string);
  }
  return hashed;
}

function presentOf({ hashed }: AnyFlow, request: Request): readonly string[] {
  return hashed.filter((field) => typeof request[field] === 'string');
}
