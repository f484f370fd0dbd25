import type { Seals } from '../../activities/seal/seals.ts';
import type { ClaimParts } from './claim-and-start.ts';
import type { CopyParts } from './claim-or-copy.ts';
import type { KeyAttempts } from './key-attempts.ts';
import type { Outcomes } from './outcomes.ts';
import type { Decision, Layer, NotBegun } from './reply.ts';
import type { SeenRequests } from './seen-requests.ts';

/** What the gateway is made of. */
export type GatewayParts = ClaimParts &
  CopyParts & {
    readonly outcomes: Outcomes;
    readonly seen: SeenRequests;
    /** Limits how often a key is asked for while its operation is open. Without it, nobody is limited. */
    readonly attempts?: KeyAttempts;
    /** Settled answers kept in memory; 0 keeps none. */
    readonly cacheEntries?: number;
    /** Seals the sensitive fields of requests; needed for flows that declare some. */
    readonly seals?: Seals | undefined;
    /** Called once for each request, with the decision and the layer that made it. */
    readonly count?: (flow: string, decision: Decision | NotBegun['kind'], layer: Layer) => void;
  };
