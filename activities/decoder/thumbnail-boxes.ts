/** Part of each thumbnail's key. Raise it whenever thumbnails are made differently, so that old and new ones never mix. */
export const recipe = 'v2';
export const thumbnailType = 'image/webp';

/** For a list, a card and a page. Pixels; a smaller picture is not enlarged. */
const widths = [160, 480, 1_280] as const;
/** A screenshot is read from top to bottom, and WebP takes no more than 16,383 pixels on a side. Heights for one width. */
const tallest = 2;

/** What a thumbnail fits into. `nominal` names it in its key. */
export const thumbnailBoxes = widths.map((width) => ({ nominal: width, width, height: width * tallest }));
export const largestThumbnail = { width: Math.max(...widths), height: Math.max(...widths) * tallest };

export type ThumbnailPicture = {
  readonly nominal: number;
  readonly bytes: Uint8Array;
  readonly width: number;
  readonly height: number;
};
