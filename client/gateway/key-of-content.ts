import { anchorContent, openAnchor } from '../../activities/stores/postgres/dedup/anchor-content.ts';
import type { AnyFlow } from '../../workflows/operation/flow.ts';
import { anchoredKey } from '../../workflows/operation/key.ts';
import { asked, digestsOf } from './asked.ts';
import type { Call } from './call.ts';
import type { GatewayParts } from './gateway-parts.ts';

/**
 * The key of a request that came without one. The window is anchored in the ledger at the first arrival, so that it has no
 * edge on which two processes, or two clocks, could disagree. Its digest is the fingerprint: an HMAC where a field is sealed, so
 * that neither the anchor nor the key lets anyone guess its value.
 * @throws TypeError where the flow declares no content key
 * @throws LedgerFault `unavailable`
 */
export async function keyOfContent<F extends AnyFlow>(
  { database, seals }: Pick<GatewayParts, 'database' | 'seals'>,
  flow: F,
  call: Omit<Call<F>, 'key'>,
): Promise<string> {
  if (flow.contentKey === undefined)
    throw new TypeError(
      `Flow ${flow.name} declares no content key: give a key that was made before the first attempt.`,
    );
  const request = asked(flow, { ...call, key: '' }, seals);
  const { scope, digest } = request;
  const digests = digestsOf(request);
  // A rotation of keys does not end a window.
  const open = digests.length > 1 ? await openAnchor(database, scope, digests) : undefined;
  if (open !== undefined) return anchoredKey(open.digest, open.anchoredAt);
  return anchoredKey(digest, await anchorContent(database, scope, digest, flow.contentKey.window));
}
