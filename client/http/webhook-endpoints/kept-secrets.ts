type Endpoint = { readonly tenant: string; readonly id: string };

/** How secrets of endpoints are kept in their rows. */
export type KeptSecrets = {
  readonly seal: (secret: string, endpoint: Endpoint) => string;
  readonly open: (kept: string, endpoint: Endpoint) => string;
};

/** For a deployment without keys. */
export const keptAsTheyAre: KeptSecrets = { seal: (secret) => secret, open: (kept) => kept };
