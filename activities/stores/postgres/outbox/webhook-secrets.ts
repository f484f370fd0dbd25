import type { Environment } from '../../../../workflows/operation/key.ts';
import type { Database } from '../database.ts';

type Rotation = {
  readonly tenant: string;
  readonly environment: Environment;
  readonly endpoint: string;
  /** Made of the key of the request: the same for each retry. */
  readonly id: string;
  readonly secret: string;
  /** For how long the former secret signs beside the new one. Milliseconds. */
  readonly beside: number;
};

/** Makes a new secret, unless that id is taken already. @returns false where there is no such endpoint */
export async function rotateSecret(database: Database, rotation: Rotation): Promise<boolean> {
  const { tenant, environment, endpoint, id, secret, beside } = rotation;
  const [rows] = await database.flush(tenant, {
    name: 'rotate_webhook_secret',
    text: 'select rotate_webhook_secret($1, $2, $3, $4, $5) as found',
    values: [endpoint, environment, id, secret, beside],
  });
  return rows?.[0]?.found === true;
}

/** @returns undefined where it signs nothing any more */
export async function readSecret(database: Database, tenant: string, id: string): Promise<string | undefined> {
  const [rows] = await database.flush(tenant, {
    name: 'webhook_secret',
    text: 'select secret from webhook_secret where id = $1 and (signs_until is null or signs_until > now())',
    values: [id],
  });
  return (rows?.[0]?.secret as string | null | undefined) ?? undefined;
}
