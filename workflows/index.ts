/** The stories that Temporal registers, each under its flow's name. */
export { checkout } from './checkout.ts';
export { sentinel } from './sentinel.ts';
export { upload } from './upload.ts';
