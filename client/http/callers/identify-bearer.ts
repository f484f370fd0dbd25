import type { Authenticate } from './authenticate.ts';
import { looksLikeApiKey } from './api-key.ts';

type Ways = {
  readonly staticTokens?: Authenticate | undefined;
  readonly webTokens?: Authenticate | undefined;
  readonly apiKeys?: Authenticate | undefined;
  /** Those of browsers without a user, by their fixed start. */
  readonly subjectTokens?: { readonly looksAlike: (text: string) => boolean; readonly identify: Authenticate };
};

/** A JWT in compact form has three parts; a static token has at most one dot. */
const webToken = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/** The form of a bearer token says which kind it is, so that it is tried in one way only. */
export function identifyBearer({ staticTokens, webTokens, apiKeys, subjectTokens }: Ways): Authenticate {
  return (bearer) => {
    if (looksLikeApiKey(bearer)) return apiKeys?.(bearer);
    if (subjectTokens?.looksAlike(bearer)) return subjectTokens.identify(bearer);
    if (webToken.test(bearer)) return webTokens?.(bearer);
    return staticTokens?.(bearer);
  };
}
