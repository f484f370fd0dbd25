import { condition, defineSignal, proxyActivities, setHandler } from '@temporalio/workflow';
import type { PlainBytes, PlainSteps } from './plain-steps.ts';

export const arrived = defineSignal<[PlainBytes]>('arrived');

const { verify, place, tidy, thumbnails, announce } = proxyActivities<PlainSteps>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '300ms', backoffCoefficient: 2, maximumAttempts: 10 },
});

/**
 * The same upload as a careful author writes it on Temporal alone: four ordinary activities, each repeatable, and a fifth for
 * pictures.
 */
export async function plainUpload(name: string, isPicture: boolean): Promise<string> {
  let bytes: PlainBytes | undefined;
  setHandler(arrived, (told) => {
    bytes ??= told;
  });
  await condition(() => bytes !== undefined, '7 days');
  if (bytes === undefined) throw new Error('The bytes have not come');
  await verify(bytes);
  const assetId = await place({ name, ...bytes });
  await tidy(bytes.objectKey);
  if (isPicture) await thumbnails(bytes.objectKey);
  await announce(assetId);
  return assetId;
}
