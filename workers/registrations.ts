import type { Registration } from '../activities/registration.ts';
import { Seals } from '../activities/seal/seals.ts';
import type { Database } from '../activities/stores/postgres/database.ts';
import type { SettleInClaim } from '../activities/stores/postgres/ledger/claim.ts';
import { flows } from '../workflows/flows.ts';
import type { AnyFlow } from '../workflows/operation/flow.ts';

/**
 * Loads what each listed flow brings besides its story, from the file that carries the flow's name.
 * @param load imports `activities/{flow}.ts`
 * @throws TypeError when the file is missing, or does not register the flow
 */
export async function registrations(
  listed: readonly AnyFlow[] = flows,
  load: (file: string) => Promise<unknown> = (file) => import(new URL(`../${file}`, import.meta.url).href),
): Promise<readonly Registration[]> {
  return await Promise.all(
    listed.map(async ({ name }) => {
      const file = `activities/${name}.ts`;
      const loaded = await load(file).catch((error: unknown) => {
        if (!isMissing(error, file)) throw error;
        throw new TypeError(`Flow ${name} has no activities: make ${file}, which exports its \`registration\`.`);
      });
      const { registration } = loaded as { readonly registration?: Registration };
      if (registration === undefined)
        throw new TypeError(`${file} exports no \`registration\`: export what flow ${name} brings under that name.`);
      if (registration.flow.name !== name)
        throw new TypeError(`${file} registers flow ${registration.flow.name}: let it register ${name}.`);
      expectDone(registration, file);
      return registration;
    }),
  );
}

function expectDone({ flow: { name, workflow }, steps, inClaim }: Registration, file: string): void {
  if (workflow === 'tells' && steps === undefined)
    throw new TypeError(`${file} registers no \`steps\`: the story of ${name} has nothing to call.`);
  if (workflow === 'never' && inClaim === undefined)
    throw new TypeError(`${file} registers no \`inClaim\`: ${name} has no workflow, and nothing would do its step.`);
}

/**
 * What the flows without a workflow do in their claims, by the flow's name.
 * @param seals needed by the flows that callers begin; those that events begin seal nothing
 */
export function settlesInClaim(
  database: Database,
  registered: readonly Registration[],
  seals = Seals.none,
): Readonly<Record<string, SettleInClaim>> {
  return Object.fromEntries(
    registered.flatMap(({ flow, inClaim }) => (inClaim === undefined ? [] : [[flow.name, inClaim(database, seals)]])),
  );
}

/** Whether this very file is missing, and not one that it imports. */
function isMissing(error: unknown, file: string): boolean {
  const { code, url } = error as { readonly code?: string; readonly url?: string };
  return code === 'ERR_MODULE_NOT_FOUND' && (url ?? (error as Error).message).includes(file);
}
