import type { Refusal } from '../../workflows/operation/outcome.ts';
import type { CallerChecksum } from '../../workflows/operation/part-checksum.ts';

export function noSuchPart(number: number, count: number): Refusal {
  return {
    code: 'request-invalid',
    detail: `There is no part ${number}: the upload has ${count}.`,
    more: { number, count },
  };
}

export function checkedOtherwise(algorithm: CallerChecksum['algorithm']): Refusal {
  const begun = algorithm === 'SHA256' ? 'CRC64NVME' : 'SHA-256';
  return {
    code: 'request-invalid',
    detail: `The parts of this upload are checked by ${begun}, and some may have arrived: go on with ${begun}.`,
    more: { field: algorithm.toLowerCase() },
  };
}

export const proofMissing: Refusal = {
  code: 'proof-missing',
  detail:
    'Parts have come without a checksum, and the upload was announced without one: complete it with `x-amz-checksum-crc64nvme` of the whole file, or have the parts signed for their checksums.',
  more: { header: 'x-amz-checksum-crc64nvme' },
};
