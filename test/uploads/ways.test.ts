import { uploadContract } from './upload-contract.ts';
import { resumableWay, tusWay } from './ways.ts';

uploadContract([
  ['tus', tusWay],
  ['the IETF without a version', (world) => resumableWay(world)],
]);
