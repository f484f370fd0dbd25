import { uploadContract } from '../uploads/upload-contract.ts';
import { resumableWay } from '../uploads/ways.ts';

uploadContract(
  [3, 4, 5, 6, 7, 8].map((version) => [`the IETF in version ${version}`, (world) => resumableWay(world, version)]),
);
