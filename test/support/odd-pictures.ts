import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import { tiffOf } from './tiff-of.ts';

const noisy = (width: number, height: number) =>
  sharp({
    create: { width, height, channels: 3, background: '#888', noise: { type: 'gaussian', mean: 120, sigma: 20 } },
  });
const plain = (width: number, height: number) => sharp({ create: { width, height, channels: 3, background: '#369' } });

const tooLarge = /exceeds pixel limit/;

type OddPicture = readonly [
  what: string,
  type: string,
  make: () => Promise<Uint8Array> | Uint8Array,
  /** Width and height of the largest thumbnail, or why there is none. */
  becomes: readonly [number, number] | RegExp,
];

/** Pictures that cameras, phones, scanners and printers make, and those that are made to do harm. */
export const oddPictures: readonly OddPicture[] = [
  ['as tall as a scrolled page', 'image/png', () => plain(1_280, 16_384).png().toBuffer(), [200, 2_560]],
  ['of one column', 'image/png', () => plain(1, 9_000).png().toBuffer(), [1, 2_560]],
  ['of one row', 'image/png', () => plain(9_000, 1).png().toBuffer(), [1_280, 1]],
  ['of 16 bits', 'image/png', () => plain(300, 200).toColourspace('rgb16').png().toBuffer(), [300, 200]],
  ['in grey with alpha', 'image/png', () => plain(300, 200).ensureAlpha(0.5).greyscale().png().toBuffer(), [300, 200]],
  ['in inks', 'image/jpeg', () => plain(300, 200).toColourspace('cmyk').jpeg().toBuffer(), [300, 200]],
  ['in inks with a spot colour', 'image/tiff', () => tiffOf(300, 200, 5, 5), [300, 200]],
  ['in inks with alpha and two spot colours', 'image/tiff', () => tiffOf(300, 200, 7, 5), [300, 200]],
  ['with alpha and a mask', 'image/tiff', () => tiffOf(300, 200, 5, 2), [300, 200]],
  ['in a wide gamut', 'image/jpeg', () => plain(300, 200).withIccProfile('p3').jpeg().toBuffer(), [300, 200]],
  ['that moves', 'image/gif', moving, [40, 30]],
  [
    'without its end marker',
    'image/jpeg',
    async () => (await noisy(300, 200).jpeg().toBuffer()).subarray(0, -2),
    [300, 200],
  ],
  ['of 100 megapixels', 'image/jpeg', () => plain(12_000, 8_400).jpeg({ progressive: true }).toBuffer(), [1_280, 896]],
  ['that is a panorama', 'image/jpeg', () => plain(30_000, 2_000).jpeg().toBuffer(), [1_280, 85]],
  ['that is a panorama on its side', 'image/jpeg', () => turned(20_000, 2_000, 6), [256, 2_560]],
  ...[1, 2, 3, 4].map((n): OddPicture => [`in orientation ${n}`, 'image/jpeg', () => turned(300, 200, n), [300, 200]]),
  ...[5, 6, 7, 8].map((n): OddPicture => [`in orientation ${n}`, 'image/jpeg', () => turned(300, 200, n), [200, 300]]),
  [
    'that is half a picture',
    'image/jpeg',
    async () => halfOf(await noisy(300, 200).jpeg().toBuffer()),
    /premature end/,
  ],
  // The pixel limit is held against what a file says of itself; only WebP is compared with its bytes first.
  ['that is a bomb in PNG', 'image/png', async () => claimingPng(await plain(9, 9).png().toBuffer()), tooLarge],
  ['that is a bomb in JPEG', 'image/jpeg', async () => claimingJpeg(await plain(9, 9).jpeg().toBuffer()), tooLarge],
  ['that is a bomb in WebP', 'image/webp', () => plain(8_100, 8_100).webp({ effort: 0 }).toBuffer(), tooLarge],
  ['that is a bomb in GIF', 'image/gif', async () => claimingGif(await plain(9, 9).gif().toBuffer()), tooLarge],
  ['that is a bomb in TIFF', 'image/tiff', () => tiffOf(9, 9, 3, 2, 16_400), tooLarge],
  ['that is a bomb in AVIF', 'image/avif', async () => claimingAvif(await plain(9, 9).avif().toBuffer()), tooLarge],
  [
    'that needs too much memory',
    'image/jpeg',
    () => plain(16_000, 16_000).jpeg({ progressive: true }).toBuffer(),
    /memory/,
  ],
];

function halfOf(bytes: Buffer): Buffer {
  return bytes.subarray(0, bytes.length / 2);
}

function turned(width: number, height: number, orientation: number): Promise<Buffer> {
  return plain(width, height).withMetadata({ orientation }).jpeg().toBuffer();
}

function moving(): Promise<Buffer> {
  const pages = Buffer.alloc(40 * 90 * 3).map((_, at) => (at * 7) % 256);
  return sharp(pages, { raw: { width: 40, height: 90, channels: 3, pageHeight: 30 } })
    .gif()
    .toBuffer();
}

// Each says of itself that it has 16,300 pixels or more on a side.

function claimingPng(png: Buffer): Buffer {
  png.writeUInt32BE(16_400, 16);
  png.writeUInt32BE(16_400, 20);
  png.writeUInt32BE(crc32(png.subarray(12, 29)), 29);
  return png;
}

function claimingJpeg(jpeg: Buffer): Buffer {
  const frame = jpeg.indexOf(Buffer.from([0xff, 0xc0]));
  jpeg.writeUInt16BE(16_400, frame + 5);
  jpeg.writeUInt16BE(16_400, frame + 7);
  return jpeg;
}

function claimingGif(gif: Buffer): Buffer {
  const image = gif.indexOf(Buffer.from([0x2c, 0, 0, 0, 0]));
  for (const at of [6, 8, image + 5, image + 7]) gif.writeUInt16LE(16_400, at);
  return gif;
}

function claimingAvif(avif: Buffer): Buffer {
  const size = avif.indexOf('ispe') + 8;
  avif.writeUInt32BE(16_400, size);
  avif.writeUInt32BE(16_400, size + 4);
  return avif;
}
