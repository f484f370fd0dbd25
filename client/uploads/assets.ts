import type { Readable } from 'node:stream';
import { create } from 'content-disposition';
import { deleteAsset, restoreAsset } from '../../activities/stores/postgres/assets/delete-asset.ts';
import { type Asset, readAsset } from '../../activities/stores/postgres/assets/read-asset.ts';
import { presignGet } from '../../activities/stores/s3/presign-get.ts';
import { openObject } from '../../activities/stores/s3/read-object.ts';
import { days, minutes } from '../../workflows/operation/duration.ts';
import type { Environment } from '../../workflows/operation/key.ts';
import { essence } from '../../workflows/operation/media-type.ts';
import { OpenBodies } from './open-bodies.ts';
import type { UploadParts } from './upload-parts.ts';

/** Who asks for an asset. */
export type AssetReader = {
  readonly tenant: string;
  readonly environment: Environment;
  /** undefined: staff, who sees what every subject of its tenant has. */
  readonly subject: string | undefined;
};

/** A leaked signed address can be used for at most this long. Milliseconds. */
export const downloadLifetime = minutes(15);
/** Where a destination does not say it. A month passes until a person misses a file after a holiday. Milliseconds. */
const restorable = days(30);

/** What a browser only ever shows or plays. Drawings, pages and PDFs may run, and are saved. */
const shownInline =
  /^(image\/(png|apng|jpeg|gif|webp|avif)|audio\/(mpeg|mp4|ogg|wav|webm|flac|aac)|video\/(mp4|webm|ogg|quicktime))$/;

/** Files that are ready: looked at, downloaded, deleted and restored. */
export class Assets {
  readonly #parts: Pick<UploadParts, 'database' | 'objects' | 'destinations'>;
  /** Each holds a connection to the store for as long as its reader takes. */
  readonly #downloads = new OpenBodies();

  constructor(parts: Pick<UploadParts, 'database' | 'objects' | 'destinations'>) {
    this.#parts = parts;
  }

  /**
   * @param evenGone whether one is meant too that can be restored no more
   * @returns undefined for one that is not there, or that the reader may not see
   */
  async find({ tenant, environment, subject }: AssetReader, id: string, evenGone = false): Promise<Asset | undefined> {
    const asset = await readAsset(this.#parts.database, tenant, id);
    if (asset?.environment !== environment || (asset.deleted?.gone === true && !evenGone)) return undefined;
    // The stricter rule counts: the one at the announcement, or the one of today.
    const policy = this.#parts.destinations.of(asset.destination);
    const own = asset.readers === 'subject' || policy?.readers === 'subject';
    return subject === undefined || !own || asset.subject === subject ? asset : undefined;
  }

  /** @returns a function to call at the end, or undefined when the reader has as many downloads under way as it may */
  enter({ tenant, subject = '' }: AssetReader, { id }: Asset): (() => void) | undefined {
    return this.#downloads.enter({ id: `${id}/${tenant}/${subject}`, tenant, subject });
  }

  /** @param range first and last byte; by default all */
  async open(
    { objectKey }: Asset,
    signal: AbortSignal,
    range?: { readonly first: number; readonly last: number },
  ): Promise<Readable> {
    return await openObject(this.#parts.objects, objectKey, signal, range);
  }

  /** @returns an address at the object store, for 15 minutes */
  async signed(asset: Asset): Promise<string> {
    const { objectKey: key, type } = asset;
    return await presignGet(
      this.#parts.objects,
      { key, type, disposition: disposition(asset, false) },
      downloadLifetime,
    );
  }

  /** @returns an address at the object store, for 15 minutes */
  async signedDerivative(key: string, type: string): Promise<string> {
    return await presignGet(this.#parts.objects, { key, type, disposition: 'inline' }, downloadLifetime);
  }

  /** Repeatable. It can be restored for a while, which its destination says. */
  async remove(tenant: string, { id, destination }: Asset): Promise<void> {
    const { restorableDays } = this.#parts.destinations.of(destination) ?? {};
    const time = restorableDays === undefined ? restorable : days(restorableDays);
    await deleteAsset(this.#parts.database, tenant, id, time);
  }

  /** Repeatable. */
  async restore(tenant: string, { id }: Asset): Promise<void> {
    await restoreAsset(this.#parts.database, tenant, id);
  }
}

/**
 * How a browser treats the file, with its name.
 * @param inline whether it is wanted in place; only what cannot run is shown so, and only if its bytes show what it is
 */
export function disposition({ name, type, evidence }: Asset, inline: boolean): string {
  const safe = shownInline.test(essence(type)) && (evidence?.verdict === 'shown' || evidence?.verdict === 'related');
  return create(name, { type: inline && safe ? 'inline' : 'attachment' });
}
