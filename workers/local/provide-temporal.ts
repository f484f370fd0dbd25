import { join } from 'node:path';
import { given } from '../config.ts';
import { findTemporal } from './find-temporal.ts';
import { reachable, type Service } from './service.ts';
import type { Context } from './stack-context.ts';
import { knowsNamespace, startTemporal } from './temporal.ts';

/** Temporal: a person's own, or the development server with its UI. */
export async function provideTemporal(context: Context): Promise<Service & { uiUrl?: string | undefined }> {
  const { settings, keeper, say } = context;
  const own = given('TEMPORAL_ADDRESS');
  if (own) {
    await reachable('TEMPORAL_ADDRESS', 'Temporal', () => knowsNamespace(own, settings.TEMPORAL_NAMESPACE));
    return { environment: {}, addresses: { Temporal: own } };
  }
  const binary = await findTemporal({ chosen: settings.TEMPORAL_CLI, path: settings.PATH, cache: context.cache, say });
  const { address, uiUrl } = await context.run('temporal', 'services', (logFile) =>
    startTemporal({
      binary,
      directory: join(context.directory, 'temporal'),
      port: settings.HAPAX_TEMPORAL_PORT,
      uiPort: settings.HAPAX_TEMPORAL_UI_PORT,
      logFile,
      persist: true,
      keeper,
    }),
  );
  const addresses = { Temporal: address, ...(uiUrl && { 'Temporal UI': uiUrl }) };
  return { uiUrl, environment: { TEMPORAL_ADDRESS: address }, addresses };
}
