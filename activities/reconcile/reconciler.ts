import { longActivity } from '../engine/long-activity.ts';
import { reconcile } from './reconcile.ts';
import type { PaymentProvider } from '../stores/payments/payment-provider.ts';
import { Database } from '../stores/postgres/database.ts';

/** Compares our books with the provider's ledger whenever a schedule sets it off. */
export class Reconciler {
  readonly #url: string;
  readonly #provider: PaymentProvider;
  #database: Database | undefined;

  /** @param url of a login that may act as hapax_upkeep: one account at the provider may serve several tenants */
  constructor(url: string, provider: PaymentProvider) {
    this.#url = url;
    this.#provider = provider;
  }

  /** By the names under which the workflow calls them. */
  get activities(): { readonly reconcileBooks: () => Promise<unknown> } {
    return {
      reconcileBooks: longActivity(async (progress) => {
        // Most workers never do it.
        this.#database ??= new Database(this.#url, 'hapax_upkeep', 1);
        return await reconcile({ database: this.#database, provider: this.#provider }, { progress });
      }),
    };
  }

  async close(): Promise<void> {
    await this.#database?.close();
  }
}
