import { z } from 'zod';
import { ownedId } from '../workflows/operation/key.ts';
import type { StatementStep } from './engine/statement-step.ts';
import type { TypeEvidence } from './file-type/judge-type.ts';
import { type DedupScope, placeAsset, type WhenSame } from './stores/postgres/uploads/place-asset.ts';
import { type MadeDerivative, publishAsset } from './stores/postgres/uploads/publish-asset.ts';
import { releaseAsset } from './stores/postgres/uploads/release-asset.ts';

type AssetSteps = {
  finalize: {
    input: {
      readonly objectKey: string;
      readonly sha256: string;
      readonly size: number;
      readonly type: string;
      readonly name: string;
      readonly destination: string;
      readonly dedup: DedupScope;
      /** By default `keep_both`. */
      readonly whenSame?: WhenSame | undefined;
      readonly evidence?: TypeEvidence | undefined;
      readonly readers?: 'tenant' | 'subject' | undefined;
    };
    result: Finalized;
  };
  publish: {
    input: { readonly assetId: string; readonly derivatives?: readonly MadeDerivative[] };
    result: null;
  };
};

type Finalized = {
  readonly assetId: string;
  readonly content: string;
  /**
   * The key of the object that holds the content. It is not the uploaded object if the scope already had these bytes.
   */
  readonly objectKey: string;
  readonly deduplicated: boolean;
  /** The assets that stood at its place before. */
  readonly replaces?: readonly string[] | undefined;
};

/** An upload becomes a name for a content. Both are rows of ours, and no byte is copied. */
export const finalize: StatementStep<AssetSteps['finalize']['input'], Finalized> = {
  effect: ({ whenSame = 'keep_both', evidence, readers, ...input }, { operation, step }) =>
    placeAsset({ operation, ...owned(operation), ...input, whenSame, evidence, readers }, step),
  result: z.object({
    assetId: z.string(),
    content: z.string(),
    objectKey: z.string(),
    deduplicated: z.boolean(),
    replaces: z.array(z.string()).optional(),
  }),
  refusal(row, { destination, name }) {
    if (row?.gone === true)
      return {
        code: 'bytes-missing',
        detail: 'The file that had these bytes was deleted meanwhile: announce the upload again, and send them.',
      };
    if (typeof row?.holder === 'string')
      return {
        code: 'place-taken',
        detail: `${destination} has a file ${name} already, and this upload may not stand beside it: give it another name, or say what to do with \`whenSame\`.`,
        more: { field: 'name', holder: row.holder },
      };
    return {
      code: 'key-expired',
      detail: 'This key made an upload so long ago that its answer is forgotten: make a new key.',
    };
  },
  async undo(tx, { operation }) {
    await releaseAsset(tx, operation);
  },
};

export const publish: StatementStep<AssetSteps['publish']['input'], null> = {
  effect: ({ derivatives = [] }, { operation, step }) =>
    publishAsset(operation, step, owned(operation).content, derivatives),
  result: z.null(),
  refusal(_row, { assetId }, { operation }) {
    throw new Error(`The asset ${assetId} of ${operation} cannot be published`);
  },
};

/** The names of what an upload makes. They come from the operation, so a repetition makes the same. */
function owned(operation: string): { asset: string; content: string } {
  return { asset: ownedId('ast', operation), content: ownedId('cnt', operation) };
}
