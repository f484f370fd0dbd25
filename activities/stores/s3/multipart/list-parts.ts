import { ListPartsCommand } from '@aws-sdk/client-s3';
import type { ObjectStore } from '../object-store.ts';

type ListedPart = {
  readonly part: number;
  readonly size: number;
  readonly etag: string;
  /** The SHA-256 or the CRC64NVME in base64; null where the store knows neither. */
  readonly checksum: string | null;
};

/** @returns the parts that the store has, all pages of them, in the order of their numbers */
export async function listParts(
  store: ObjectStore,
  { objectKey, s3UploadId }: { readonly objectKey: string; readonly s3UploadId: string },
): Promise<readonly ListedPart[]> {
  const parts: ListedPart[] = [];
  let marker: string | undefined;
  do {
    const page: {
      Parts?:
        | {
            PartNumber?: number | undefined;
            Size?: number | undefined;
            ETag?: string | undefined;
            ChecksumSHA256?: string | undefined;
            ChecksumCRC64NVME?: string | undefined;
          }[]
        | undefined;
      IsTruncated?: boolean | undefined;
      NextPartNumberMarker?: string | undefined;
    } = await store.client.send(
      new ListPartsCommand({ Bucket: store.bucket, Key: objectKey, UploadId: s3UploadId, PartNumberMarker: marker }),
    );
    for (const { PartNumber: part, Size: size, ETag: etag, ...checked } of page.Parts ?? []) {
      const checksum = checked.ChecksumSHA256 ?? checked.ChecksumCRC64NVME ?? null;
      if (part !== undefined && size !== undefined && etag !== undefined) parts.push({ part, size, etag, checksum });
    }
    marker = page.IsTruncated === true ? page.NextPartNumberMarker : undefined;
  } while (marker !== undefined);
  return parts;
}
