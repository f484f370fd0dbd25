import sharp from 'sharp';
import { type DecodableType, longestDecoding, mostPixels } from './picture-limits.ts';
import { largestThumbnail, thumbnailBoxes, type ThumbnailPicture } from './thumbnail-boxes.ts';

/** Indistinguishable at these sizes, at a tenth of a JPEG's bytes. */
const quality = 80;
/** Presses have up to 12 inks; each channel is a byte or two for every pixel. */
const mostInks = 16;
const seconds = longestDecoding / 1_000;
const endOfJpeg = Buffer.from([0xff, 0xd9]);
const endsEarly = /premature end of JPEG/;
/** More than RGB and alpha: inks and masks, which no thumbnail shows. */
const mostChannels = 4;

// One decoder at a time uses one core. No decoder keeps pictures of another tenant in memory.
sharp.concurrency(1);
sharp.cache(false);
// Whatever a file is inside, only these ever read it.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: [
    ...['VipsForeignLoadJpeg', 'VipsForeignLoadPng', 'VipsForeignLoadWebp', 'VipsForeignLoadNsgif'],
    ...['VipsForeignLoadHeif', 'VipsForeignLoadTiff'],
  ],
});

/**
 * Decodes the first page of a picture once, upright and in sRGB, and makes a small picture for each box. It runs in a
 * process of its own (`decoder-process.ts`).
 * @throws Error for a picture that is broken, too large or too slow to decode
 */
export async function decodeThumbnails(bytes: Buffer, type: DecodableType): Promise<readonly ThumbnailPicture[]> {
  const decoded = await decodedLargest(bytes, type, 'error').catch(async (error: unknown) => {
    if (type !== 'image/jpeg' || !endsEarly.test(String(error))) throw error;
    // Some cameras leave the end marker out. With it, only a picture of which more is missing gives a warning.
    return await decodedLargest(Buffer.concat([bytes, endOfJpeg]), type, 'warning');
  });
  const { width, height } = decoded.info;
  const { data, channels } = ofColour(decoded.data, decoded.info.channels);
  const pictures: ThumbnailPicture[] = [];
  for (const { nominal, ...box } of thumbnailBoxes) {
    const small = await sharp(data, { raw: { width, height, channels } })
      .timeout({ seconds })
      .resize({ ...box, fit: 'inside', withoutEnlargement: true })
      .webp({ quality })
      .toBuffer({ resolveWithObject: true });
    pictures.push({ nominal, bytes: small.data, width: small.info.width, height: small.info.height });
  }
  return pictures;
}

async function decodedLargest(bytes: Buffer, type: DecodableType, failOn: 'error' | 'warning') {
  const limits = { limitInputPixels: mostPixels[type], limitInputChannels: mostInks };
  return await sharp(bytes, { ...limits, pages: 1, failOn })
    .timeout({ seconds })
    .autoOrient()
    .resize({ ...largestThumbnail, fit: 'inside', withoutEnlargement: true })
    .raw()
    .toBuffer({ resolveWithObject: true });
}

/** Leaves the colours alone of a picture with more channels than a thumbnail can have. */
function ofColour(data: Buffer, channels: number): { readonly data: Buffer; readonly channels: 1 | 2 | 3 | 4 } {
  if (channels <= mostChannels) return { data, channels: channels as 1 | 2 | 3 | 4 };
  const pixels = data.length / channels;
  const colours = Buffer.allocUnsafe(pixels * 3);
  for (let pixel = 0; pixel < pixels; pixel += 1) data.copy(colours, pixel * 3, pixel * channels, pixel * channels + 3);
  return { data: colours, channels: 3 };
}
