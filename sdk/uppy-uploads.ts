import { thisClient } from './this-client.ts';

/**
 * Sets Uppy up for uploads that happen once. It names each file by its idempotency key, and finds by that key alone what a
 * page before it has brought: nothing is kept in the browser.
 *
 * @example
 * const hapax = uppyUploads({ url: 'https://uploads.example.org', headers: () => ({ authorization }), keyOf });
 * uppy.use(Tus, hapax.tus);      // or: uppy.use(AwsS3, hapax.awsS3);
 * uppy.addPreProcessor(hapax.findBegun(uppy));
 */

/** What these set-ups read of Uppy's files. */
type UppyFile = {
  readonly id: string;
  readonly name?: string | undefined;
  readonly type?: string | undefined;
  readonly size: number | null;
  readonly data: unknown;
  readonly meta: Readonly<Record<string, unknown>>;
};

type UppyFiles = {
  getFile(id: string): UppyFile;
  setFileState(id: string, state: Record<string, unknown>): void;
};

type Options = {
  /** The address of the HTTP API, without a path. */
  readonly url: string;
  /** Headers of each request to the HTTP API: the token. Asked anew each time, so that it may be renewed. */
  readonly headers: () => Readonly<Record<string, string>>;
  /** The idempotency key of a file, made before its first attempt and kept for its retries. */
  readonly keyOf: (file: UppyFile) => string;
  /** Where the files belong; 'uploads' by default. */
  readonly destination?: string;
};

/** A request to S3 as Uppy wants it signed. */
type S3Request = {
  readonly method: 'POST' | 'GET' | 'PUT' | 'DELETE';
  readonly key: string;
  readonly uploadId?: string;
  readonly partNumber?: number;
};

type Signed = { readonly url: string; readonly headers: Record<string, string> };

/** S3 takes no smaller parts, but the last, and no more of them than 10,000. Bytes. */
const smallestPart = 5 * 1024 ** 2;
const usualPart = 8 * 1024 ** 2;
const mostParts = 10_000;

export function uppyUploads({ url, headers: callers, keyOf, destination = 'uploads' }: Options) {
  const headers = () => ({ 'hapax-client': thisClient(), ...callers() });
  const base = url.replace(/\/$/, '');
  const files = new Map<string, UppyFile>();
  const getChunkSize = ({ size }: { readonly size: number }): number =>
    Math.max(smallestPart, usualPart, Math.ceil(size / mostParts));

  const ask = async (method: string, path: string, body?: unknown, more: Record<string, string> = {}) => {
    const answer = await fetch(`${base}${path}`, {
      method,
      headers: { ...headers(), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...more },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const told = (await answer.json()) as Record<string, unknown>;
    if (!answer.ok) throw new Error(`${String(told.title)}: ${String(told.detail)}`);
    return told;
  };

  const about = (file: UppyFile | undefined, key: string) => ({
    name: file?.name ?? key,
    size: file?.size ?? 0,
    type: file?.type ?? 'application/octet-stream',
    destination,
  });

  /** Signs a part for exactly its bytes. */
  const signPart = async (key: string, uploadId: string, number: number): Promise<Signed> => {
    const { data } = files.get(key) ?? {};
    if (!(data instanceof Blob)) throw new TypeError(`Uppy asks for a part of ${key}, which is no file of this page`);
    const size = getChunkSize(data);
    const bytes = await data.slice((number - 1) * size, number * size).arrayBuffer();
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
    const { parts } = await ask('POST', `/v1/uploads/${uploadId}/parts`, { parts: [{ number, sha256 }] });
    const [part] = parts as Signed[];
    if (part === undefined) throw new TypeError(`Part ${number} of ${key} was not signed`);
    return part;
  };

  const signRequest = async ({ method, key, uploadId, partNumber }: S3Request): Promise<Signed> => {
    if (uploadId !== undefined && partNumber !== undefined) return await signPart(key, uploadId, partNumber);
    const path = `${base}/v1/s3/${encodeURIComponent(key)}`;
    if (uploadId !== undefined) return { url: `${path}?uploadId=${uploadId}`, headers: { ...headers() } };
    const named = about(files.get(key), key);
    if (method === 'POST') {
      const query = new URLSearchParams({ uploads: '', ...named, size: String(named.size) });
      return { url: `${path}?${query.toString()}`, headers: { ...headers(), 'idempotency-key': key } };
    }
    // A file without bytes has no parts. It goes through the HTTP API.
    const told = await ask('POST', '/v1/uploads', named, { 'idempotency-key': key });
    const transfer = told.transfer as Signed;
    return { url: transfer.url, headers: { ...headers(), ...transfer.headers } };
  };

  return {
    /** Options of `@uppy/tus`. */
    tus: {
      endpoint: `${base}/v1/tus`,
      headers: (file: UppyFile) => ({ ...headers(), 'Idempotency-Key': keyOf(file) }),
      allowedMetaFields: ['name', 'type', 'destination'],
      // They mistake another file of the same name and size for this one.
      storeFingerprintForResuming: false,
    },
    /** Options of `@uppy/aws-s3`. */
    awsS3: {
      shouldUseMultipart: (file: UppyFile) => (file.size ?? 0) > 0,
      getChunkSize,
      generateObjectKey: (file: UppyFile): string => {
        const key = keyOf(file);
        files.set(key, file);
        return key;
      },
      signRequest,
    },
    /** Looks each file up by its key before it is sent, and goes on with what there is. */
    findBegun: (uppy: UppyFiles) => async (ids: readonly string[]) => {
      for (const id of ids) {
        const key = keyOf(uppy.getFile(id));
        const { uploads } = await ask('GET', `/v1/uploads?${new URLSearchParams({ key, state: 'open' }).toString()}`);
        const [begun] = uploads as {
          readonly id: string;
          readonly transfer?: Partial<Signed> & { readonly parts?: unknown };
        }[];
        if (begun?.transfer === undefined) continue;
        const inParts = begun.transfer.parts !== undefined;
        uppy.setFileState(
          id,
          inParts ? { s3Multipart: { uploadId: begun.id, key } } : { tus: { uploadUrl: `${base}/v1/tus/${begun.id}` } },
        );
      }
    },
  };
}
