/**
 * An uncompressed TIFF, whose directory stands at its end, with any number of channels of 8 bits.
 * @param photometric 2 is RGB, 5 is inks (TIFF 6.0, PhotometricInterpretation)
 * @param claims the size that it says it has, on both sides
 */
export function tiffOf(width: number, height: number, channels: number, photometric: 2 | 5, claims?: number): Buffer {
  const pixels = Buffer.alloc(width * height * channels, 0x50);
  const extra = channels - (photometric === 2 ? 3 : 4);
  const bits = Buffer.alloc(channels * 2);
  const extras = Buffer.alloc(extra * 2);
  for (let n = 0; n < channels; n += 1) bits.writeUInt16LE(8, n * 2);
  const at = { bits: 8, extras: 8 + bits.length, pixels: 8 + bits.length + extras.length };
  const entries: readonly (readonly [tag: number, type: number, count: number, value: number])[] = [
    [256, 4, 1, claims ?? width],
    [257, 4, 1, claims ?? height],
    [258, 3, channels, at.bits],
    [259, 3, 1, 1],
    [262, 3, 1, photometric],
    [273, 4, 1, at.pixels],
    [277, 3, 1, channels],
    [278, 4, 1, height],
    [279, 4, 1, pixels.length],
    [284, 3, 1, 1],
    // Two shorts stand in the entry itself.
    [338, 3, extra, extra > 2 ? at.extras : 0],
  ];
  const directory = Buffer.alloc(2 + entries.length * 12 + 4);
  directory.writeUInt16LE(entries.length, 0);
  entries.forEach(([tag, type, count, value], n) => {
    directory.writeUInt16LE(tag, 2 + n * 12);
    directory.writeUInt16LE(type, 4 + n * 12);
    directory.writeUInt32LE(count, 6 + n * 12);
    directory.writeUInt32LE(value, 10 + n * 12);
  });
  const head = Buffer.from('49492a0000000000', 'hex');
  head.writeUInt32LE(at.pixels + pixels.length, 4);
  return Buffer.concat([head, bits, extras, pixels, directory]);
}
