import type { Gateway } from '../gateway.ts';
import type { Uploads } from '../uploads/uploads.ts';
import type { Database } from '../../activities/stores/postgres/database.ts';
import { erasureFlow } from '../../workflows/erasure.flow.ts';
import { deriveAdditions } from './assets/derive-additions.ts';
import { signupAdditions } from './accounts/signup-additions.ts';
import { type AskNextAction, checkoutAdditions } from './payments/checkout-additions.ts';
import { orderAdditions } from './payments/order-additions.ts';
import { Additions } from './flow-additions.ts';
import { uploadAdditions } from './uploads/upload-additions.ts';
import type { WatchedBody } from './uploads/watch-bodies.ts';

type AdditionParts = {
  readonly askNextAction: AskNextAction;
  readonly gateway: Gateway;
  readonly database: Database;
  readonly uploads: Uploads;
  /** Whether callers of a sign-up are told that its address is taken; by default only its owner is. */
  readonly revealsTakenAddresses?: boolean;
  /** The address of the HTTP API as callers see it. Default: the address that each request was sent to. */
  readonly publicUrl?: string | undefined;
  /** Called with what became of each body of an upload. */
  readonly countBody?: (body: WatchedBody) => void;
  /** The bucket whose notifications are taken from who knows the secret; by default none. */
  readonly notices?: { readonly bucket: string; readonly secret: string | undefined };
};

/** The flows' additions to the HTTP API. A flow with routes of its own adds a line here. */
export function additions({
  gateway,
  database,
  uploads,
  publicUrl,
  notices,
  revealsTakenAddresses: reveals = false,
  askNextAction,
  countBody = () => undefined,
}: AdditionParts): Additions {
  return new Additions([
    uploadAdditions({ gateway, uploads, publicUrl, notices, countBody }),
    checkoutAdditions(askNextAction, gateway),
    ...orderAdditions({ gateway, database }),
    deriveAdditions({ gateway, assets: uploads.assets, publicUrl }),
    ...signupAdditions({ gateway, database, reveals }),
    // It takes other subjects' data away.
    { flow: erasureFlow, role: 'operator' },
  ]);
}
