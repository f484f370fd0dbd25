import { seconds } from '../../workflows/operation/duration.ts';

/**
 * Formats that are decoded, each by one well-tested decoder, and how many pixels such a picture may have. A JPEG is shrunk
 * while it is decoded, so that a panorama needs no more memory than a photograph; PNG and TIFF are read line by line; the
 * others stand in memory as a whole, at 4 to 8 bytes a pixel. SVG is not among them: a drawing may name files for the
 * decoder to read.
 */
export const mostPixels = {
  'image/jpeg': 268_000_000,
  'image/png': 120_000_000,
  'image/apng': 120_000_000,
  'image/tiff': 120_000_000,
  'image/gif': 64_000_000,
  'image/webp': 64_000_000,
  'image/avif': 40_000_000,
} as const satisfies Readonly<Record<string, number>>;

export type DecodableType = keyof typeof mostPixels;

export function isDecodable(type: string): type is DecodableType {
  return Object.hasOwn(mostPixels, type);
}

/** 50 megapixels of camera raw in a TIFF are 300 MB, of a photograph in JPEG 30 MB; a decoder holds the file in memory. Bytes. */
export const largestPicture = 128 * 1024 ** 2;

/**
 * What one picture may take: the file, and a progressive JPEG of 100 megapixels (300 MB of coefficients) or 64 megapixels of
 * WebP. Bytes.
 */
export const decoderMemory = 512 * 1024 ** 2;

/** 100 megapixels take about 3 s on one core. A picture that takes ten times as long was made to. Milliseconds. */
export const longestDecoding = seconds(30);
