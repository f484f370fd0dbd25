import sharp from 'sharp';
import { Refused } from './stores/outcomes/refused.ts';

/** A part of every thumbnail's key. Raise it with each change of what is made, so that old and new never mix. */
export const recipe = 'v1';
export const thumbnailType = 'image/webp';
/** For a list, a card and a page. Pixels; a smaller picture is not enlarged. */
export const widths = [160, 480, 1_280] as const;

/** The largest cameras take 50 megapixels; a 249 KB PNG of 16,000² passes sharp's own limit of 268. */
const mostPixels = 50_000_000;
/** 50 megapixels take about 2 s on one core. A picture that takes ten times as long was made to. Seconds. */
const longest = 20;
/** Indistinguishable at these sizes, at a tenth of a JPEG's bytes. */
const quality = 80;

type Picture = {
  readonly nominal: number;
  readonly bytes: Buffer;
  readonly width: number;
  readonly height: number;
};

// One decoder at a time uses one core. No decoder keeps pictures of another tenant in memory.
sharp.concurrency(1);
sharp.cache(false);

/**
 * Decodes the first page of a picture once, upright, and makes a small picture of each width.
 * @throws Refused `content-undecodable` for a picture that is broken, too large or too slow to decode
 */
export async function decodeThumbnails(bytes: Buffer): Promise<readonly Picture[]> {
  try {
    const largest = await sharp(bytes, { limitInputPixels: mostPixels, pages: 1, failOn: 'error' })
      .timeout({ seconds: longest })
      .autoOrient()
      .resize({ width: Math.max(...widths), withoutEnlargement: true })
      .raw()
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = largest.info;
    const pictures: Picture[] = [];
    for (const nominal of widths) {
      const small = await sharp(largest.data, { raw: { width, height, channels } })
        .timeout({ seconds: longest })
        .resize({ width: nominal, withoutEnlargement: true })
        .webp({ quality })
        .toBuffer({ resolveWithObject: true });
      pictures.push({ nominal, bytes: small.data, width: small.info.width, height: small.info.height });
    }
    return pictures;
  } catch (error) {
    const reason = error instanceof Error ? error.message.trim() : String(error);
    throw new Refused({ code: 'content-undecodable', detail: `The picture could not be decoded: ${reason}` });
  }
}
