import pLimit from 'p-limit';
import type { Database } from '../stores/postgres/database.ts';
import { type Claimed, explainedDerivatives, explainedUploads } from '../stores/postgres/sweeps/explain.ts';
import {
  findContents,
  loseContent,
  loseDerivatives,
  type Missing,
  mostMissing,
  unlistedContents,
  unlistedDerivatives,
} from '../stores/postgres/sweeps/missing-objects.ts';
import { nothing } from '../stores/postgres/sweeps/sweep-pass.ts';
import { deleteObject } from '../stores/s3/delete-object.ts';
import { headObject } from '../stores/s3/head-object.ts';
import { listPage, type StoredObject } from '../stores/s3/list-page.ts';
import type { ObjectStore } from '../stores/s3/object-store.ts';
import { contentOfKey, derivatives, operationOfKey, uploads } from '../stores/s3/upload-keys.ts';
import { removeEach } from './remove-each.ts';
import type { SweepReach, SweepStage } from './sweep-stage.ts';

/** What differs between the bytes of uploads and what was made of them. */
type Kind = {
  readonly name: string;
  readonly prefix: string;
  readonly ownerOf: (key: string) => string | undefined;
  readonly explained: (database: Database, claimed: readonly Claimed[]) => Promise<ReadonlySet<string>>;
  /** Rows whose keys lie in the range, and were not listed. */
  readonly unlisted: (
    database: Database,
    range: { readonly after: string; readonly through: string; readonly listed: readonly string[] },
  ) => Promise<readonly Missing[]>;
  readonly lose: (database: Database, missing: Missing) => Promise<void>;
  /** What its bytes count as. */
  readonly counts: 'storedBytes' | 'derivedBytes';
};

/** Ends every range of keys under a prefix: `0` follows the slash. */
const beyond = (prefix: string) => `${prefix.slice(0, -1)}0`;

const bytesOfUploads: Kind = {
  name: 'bytes of uploads',
  prefix: uploads,
  ownerOf: operationOfKey,
  explained: explainedUploads,
  unlisted: unlistedContents,
  lose: loseContent,
  counts: 'storedBytes',
};

const madeOfUploads: Kind = {
  name: 'derivatives',
  prefix: derivatives,
  ownerOf: contentOfKey,
  explained: explainedDerivatives,
  unlisted: async (database, range) =>
    await unlistedDerivatives(database, range, [ownerAt(range.after), ownerAt(range.through)]),
  lose: loseDerivatives,
  counts: 'derivedBytes',
};

/** The content that a place among the derivatives lies in. */
const ownerAt = (place: string) => (place === beyond(derivatives) ? '~' : (place.split('/')[1] ?? ''));

/** Objects that no row explains, and rows whose objects are missing: both come of comparing one page of keys with the rows. */
export const leftoverObjects: readonly SweepStage[] = [bytesOfUploads, madeOfUploads].map((kind) => ({
  name: kind.name,
  look: async (reach, after) => await look(kind, reach, after),
}));

async function look(kind: Kind, reach: SweepReach, after: string) {
  const { database, objects: store } = reach;
  const page = await sortedPage(store, kind.prefix, after);
  const end = page.last ? beyond(kind.prefix) : (page.objects.at(-1) as StoredObject).key;
  const listed = page.objects.map(({ key }) => key);
  const unlisted = await kind.unlisted(database, { after, through: end, listed });
  // Where many are missing, the page ends with the last of those that are looked at.
  const cut = unlisted.length < mostMissing ? undefined : unlisted.at(-1)?.key;
  const objects = cut === undefined ? page.objects : page.objects.filter(({ key }) => key <= cut);
  const lost = await loseMissing(kind, reach, unlisted);
  if (reach.removes && kind === bytesOfUploads) await findContents(database, listed);
  const claimed = objects.flatMap((object) => {
    const owner = kind.ownerOf(object.key);
    return owner === undefined ? [] : [{ ...object, owner }];
  });
  const explained = await kind.explained(database, claimed);
  const unexplained = claimed.filter(({ key }) => !explained.has(key));
  const strangers = [...objects.filter(({ key }) => kind.ownerOf(key) === undefined), ...unexplained.filter(isForeign)];
  for (const { key, size } of strangers) reach.found({ what: kind.name, thing: key, bytes: size, outcome: 'not ours' });
  const leftovers = unexplained
    .filter((object) => !isForeign(object) && object.modified.getTime() < reach.now - reach.minAge)
    .map(({ key, size }) => ({ thing: key, bytes: size }));
  const removed = await removeEach(reach, kind.name, leftovers, async ({ thing }) => await deleteObject(store, thing));
  return {
    after: cut ?? (page.last ? undefined : end),
    counts: {
      ...nothing,
      ...removed,
      lookedAt: objects.length,
      lost,
      notOurs: strangers.length,
      [kind.counts]: sizeOf(claimed) - sizeOf(unexplained),
      unexplainedBytes: sizeOf(unexplained),
    },
  };

  function isForeign({ modified }: { readonly modified: Date }): boolean {
    return modified.getTime() < reach.bornAt.getTime() - reach.minAge;
  }
}

/** @throws where the store lists in another order, or does not begin where it is asked to: nothing could be compared */
async function sortedPage(store: ObjectStore, prefix: string, after: string) {
  const page = await listPage(store, prefix, { after });
  let before = after;
  for (const { key } of page.objects) {
    if (key <= before)
      throw new Error(`The object store lists ${key} behind ${before}: a sweep needs a store that lists in order.`);
    before = key;
  }
  return page;
}

/** Questions to the store that one page asks at a time. */
const atOnce = 20;

async function loseMissing(
  kind: Kind,
  { database, objects: store, removes, found }: SweepReach,
  unlisted: readonly Missing[],
): Promise<number> {
  const limit = pLimit(atOnce);
  const one = async (missing: Missing): Promise<number> => {
    // It may have been written after the page was listed.
    if ((await headObject(store, missing.key)) !== undefined) return 0;
    found({ what: kind.name, thing: missing.key, bytes: 0, outcome: 'lost' });
    if (removes) await kind.lose(database, missing);
    return 1;
  };
  const lost = await Promise.all(unlisted.map((missing) => limit(one, missing)));
  return lost.reduce<number>((sum, count) => sum + count, 0);
}

function sizeOf(objects: readonly { readonly size: number }[]): number {
  return objects.reduce((sum, { size }) => sum + size, 0);
}
