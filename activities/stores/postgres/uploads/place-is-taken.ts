import type { Database } from '../database.ts';

/** Where a file would stand. */
type Place = {
  readonly tenant: string;
  readonly environment: string;
  readonly subject: string;
  readonly destination: string;
  readonly name: string;
};

const text = `
select from asset where tenant = $1 and environment = $2 and subject = $3 and destination = $4 and name = $5
  and replaced_by is null and deleted_at is null limit 1`;

/** @returns whether a file stands there now; another may come, or this one go, before anything else is done */
export async function placeIsTaken(database: Database, place: Place): Promise<boolean> {
  const { tenant, environment, subject, destination, name } = place;
  const values = [tenant, environment, subject, destination, name];
  const [rows] = await database.flush(tenant, { name: 'place_is_taken', text, values });
  return rows?.length === 1;
}
