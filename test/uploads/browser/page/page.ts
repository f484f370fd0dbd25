import AwsS3 from '@uppy/aws-s3';
import Uppy from '@uppy/core';
import Tus from '@uppy/tus';
import { uppyUploads } from '../../../../sdk/uppy-uploads.ts';

type Asked = {
  readonly way: 'tus' | 'aws-s3';
  readonly url: string;
  readonly key: string;
  readonly size: number;
  readonly seed: number;
  /** The page is loaded anew once so many bytes are sent. */
  readonly reloadsAt?: number;
};

/** The same bytes for the same seed, on each page. */
function made(size: number, seed: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = seed;
  for (let at = 0; at < words.length; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    words[at] = state;
  }
  return new Uint8Array(words.buffer, 0, size);
}

/** Uploads a file as a page does that knows nothing but its key. */
async function upload({ way, url, key, size, seed, reloadsAt }: Asked): Promise<string> {
  const uppy = new Uppy({ autoProceed: false });
  const hapax = uppyUploads({ url, headers: () => ({ authorization: 'Bearer local-alpha' }), keyOf: () => key });
  if (way === 'tus')
    uppy.use(Tus, {
      ...hapax.tus,
      chunkSize: 5 * 1024 ** 2,
      retryDelays: [0, 200, 500, 1_000, 1_000, 3_000, 3_000],
    } as never);
  else uppy.use(AwsS3, hapax.awsS3 as never);
  uppy.addPreProcessor(hapax.findBegun(uppy as never) as never);
  uppy.on('upload-progress', (_file, { bytesUploaded }) => {
    if (reloadsAt !== undefined && Number(bytesUploaded) > reloadsAt) location.reload();
  });
  uppy.addFile({ name: `${key}.bin`, type: 'application/octet-stream', data: new Blob([made(size, seed)]) });
  const result = await uppy.upload();
  const [failed] = result?.failed ?? [];
  return failed === undefined ? 'done' : String(failed.error);
}

/** A file that goes straight to the store in one signed PUT. */
async function put(url: string, headers: Record<string, string>, size: number, seed: number): Promise<number> {
  const { 'content-length': _length, ...settable } = headers;
  return (await fetch(url, { method: 'PUT', headers: settable, body: made(size, seed) })).status;
}

Object.assign(window, { upload, put, made });
