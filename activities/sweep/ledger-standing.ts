import type { Database } from '../stores/postgres/database.ts';
import { explainedUploads } from '../stores/postgres/sweeps/explain.ts';
import {
  acceptLedger,
  beatLedger,
  hasContents,
  type LedgerMark,
  readLedger,
} from '../stores/postgres/sweeps/ledger-mark.ts';
import { type BucketMark, makeBucketMark, readBucketMark, writeBucketMark } from '../stores/s3/bucket-mark.ts';
import { listPage } from '../stores/s3/list-page.ts';
import type { ObjectStore } from '../stores/s3/object-store.ts';
import { operationOfKey, uploads } from '../stores/s3/upload-keys.ts';

/** Whether the rows of this ledger can be trusted to be all the rows of this bucket. */
export type Standing =
  | { readonly kind: 'ours'; readonly bornAt: Date }
  /** In words, with what to do. */
  | { readonly kind: 'doubtful'; readonly bornAt: Date; readonly why: string };

const accept =
  'Look with `hapax sweep --dry-run` at what no row explains; if that may go, say `hapax sweep --accept-ledger` once.';

/**
 * What no row explains is removed, so missing rows would cost files. The bucket and the ledger each remember the other: a
 * bucket of another ledger, a ledger that was restored from a backup, or made anew, and a server that has taken over are
 * all told apart from the ledger that has written these objects.
 */
function judgeLedger(ledger: LedgerMark, mark: BucketMark | undefined): Standing {
  const doubtful = (why: string): Standing => ({ kind: 'doubtful', bornAt: ledger.bornAt, why: `${why} ${accept}` });
  if (mark === undefined)
    return doubtful('This bucket and this ledger do not know each other: is S3_BUCKET the one that was meant?');
  if (mark.ledger !== ledger.id)
    return doubtful(
      'This bucket belongs to another ledger: its database was made anew, or DATABASE_URL or S3_BUCKET is not the one that was meant.',
    );
  if (mark.beats > ledger.beats)
    return doubtful('The ledger was restored from a backup: the bucket remembers later rows, which may be missing.');
  const { server, serverNow } = ledger;
  if (server !== null && serverNow !== null && server !== serverNow)
    return doubtful(
      'PostgreSQL was restored to a point in time, or another server has taken over: the newest rows may be missing.',
    );
  return { kind: 'ours', bornAt: ledger.bornAt };
}

/**
 * Changes nothing. A new ledger accepts a bucket without a mark if both are empty, or if the rows explain most of the objects.
 */
export async function standingOf(database: Database, store: ObjectStore): Promise<Standing> {
  const { ledger, mark } = await bothSides(database, store);
  return judgeLedger(ledger, mark);
}

/** Lets ledger and bucket remember that they have seen each other now, unless there is doubt about them. */
export async function beat(database: Database, store: ObjectStore): Promise<Standing> {
  const { ledger, mark, isMarked } = await bothSides(database, store);
  const standing = judgeLedger(ledger, mark);
  if (standing.kind !== 'ours') return standing;
  if (!isMarked) {
    // Of two ledgers that come at once, one is faster, and the other finds its mark.
    await makeBucketMark(store, { ledger: ledger.id, beats: ledger.beats });
    return await beat(database, store);
  }
  await remember(store, await beatLedger(database));
  return standing;
}

/** A person has looked: this ledger has all the rows that count. */
export async function acceptStanding(database: Database, store: ObjectStore): Promise<void> {
  const mark = await readBucketMark(store);
  await remember(store, await acceptLedger(database, mark?.beats ?? 0));
}

type BothSides = {
  readonly ledger: LedgerMark;
  /** What the bucket remembers, or would. */
  readonly mark: BucketMark | undefined;
  readonly isMarked: boolean;
};

async function bothSides(database: Database, store: ObjectStore): Promise<BothSides> {
  // In this order: the ledger beats first, so that what it says after the bucket was asked is never behind.
  const there = await readBucketMark(store);
  const ledger = await readLedger(database);
  if (there !== undefined) return { ledger, mark: there, isMarked: true };
  // Another process may have made the mark in between.
  if (ledger.beats > 0 && (await readBucketMark(store)) !== undefined) return await bothSides(database, store);
  const goes = ledger.beats === 0 && (await goTogether(database, store));
  return { ledger, mark: goes ? { ledger: ledger.id, beats: 0 } : undefined, isMarked: false };
}

async function goTogether(database: Database, store: ObjectStore): Promise<boolean> {
  const { objects } = await listPage(store, uploads, { after: '' });
  if (objects.length === 0) return !(await hasContents(database));
  const claimed = objects.map(({ key }) => ({ key, owner: operationOfKey(key) ?? '' }));
  return (await explainedUploads(database, claimed)).size * 2 > claimed.length;
}

async function remember(store: ObjectStore, { id, beats }: LedgerMark): Promise<void> {
  await writeBucketMark(store, { ledger: id, beats });
}
