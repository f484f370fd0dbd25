import type { SealedPlace, Seals } from './seals.ts';

/** Whose secret it is. It opens for this endpoint alone. */
type Endpoint = { readonly tenant: string; readonly id: string };

/** Seals the secrets that sign the webhooks of an endpoint, and opens them. */
export class EndpointSecrets {
  readonly #seals: Seals;

  constructor(seals: Seals) {
    this.#seals = seals;
  }

  seal(secret: string, endpoint: Endpoint): string {
    return this.#seals.seal(secret, placeOf(endpoint));
  }

  /**
   * @returns the secret; one that was written before secrets were sealed is returned as it is
   * @throws SealFault
   */
  open(kept: string, endpoint: Endpoint): string {
    return this.#seals.open(kept, placeOf(endpoint)) as string;
  }
}

function placeOf({ tenant, id }: Endpoint): SealedPlace {
  return { tenant, flow: 'webhook', operation: id, field: 'secret' };
}
