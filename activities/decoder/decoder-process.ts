import { decodeThumbnails } from './decode-thumbnails.ts';
import { limitMemory } from './limit-memory.ts';
import { type DecodableType, decoderMemory } from './picture-limits.ts';
import type { ThumbnailPicture } from './thumbnail-boxes.ts';

/** A picture of so many bytes, which come on the standard input. */
export type PictureAsked = { readonly size: number; readonly type: DecodableType };

/** What became of it. */
export type PictureMade =
  | { readonly kind: 'made'; readonly pictures: readonly ThumbnailPicture[] }
  /** `late`: it was given up, since it took too long. */
  | { readonly kind: 'undecodable'; readonly why: string; readonly late?: true };

/** What a decoder tells its parent process. */
export type DecoderSays = { readonly kind: 'ready' } | PictureMade;

process.on('message', (asked: PictureAsked) => {
  void take(asked).then((made) => process.send?.(made));
});
limitMemory(decoderMemory);
process.send?.({ kind: 'ready' } satisfies DecoderSays);
// Nobody is left to answer. A decoder that is at work in another thread would hold up an orderly exit.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

async function take({ size, type }: PictureAsked): Promise<PictureMade> {
  const bytes = await received(size);
  try {
    return { kind: 'made', pictures: await decodeThumbnails(bytes, type) };
  } catch (error) {
    return { kind: 'undecodable', why: error instanceof Error ? error.message.trim() : String(error) };
  }
}

async function received(size: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(size);
  let length = 0;
  while (length < size) {
    const piece = process.stdin.read() as Buffer | null;
    if (piece === null) await new Promise((resolve) => process.stdin.once('readable', resolve));
    else length += piece.copy(bytes, length);
  }
  return bytes;
}
