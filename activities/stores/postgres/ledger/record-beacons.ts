import type { Environment } from '../../../../workflows/operation/key.ts';
import type { Database } from '../database.ts';

/** What a person met at a screen. */
type Beacon = {
  /** A UUID of its sender: the same for each time that it is sent. */
  readonly id: string;
  readonly signal: string;
  readonly operation?: string | undefined;
  /** How long ago, in milliseconds. */
  readonly ago: number;
  readonly times: number;
  /** Milliseconds from the interruption until the action went on; of a recovery only. */
  readonly took?: number | undefined;
  readonly screen?: string | undefined;
  /** Per cent. */
  readonly progress?: number | undefined;
  readonly transitions: readonly { readonly to: string; readonly after: number }[];
  readonly browser: string;
  readonly device: string;
  readonly network: string;
};

type Sender = {
  readonly tenant: string;
  readonly environment: Environment;
  /** Whose operations it may see; undefined for those of every subject. */
  readonly subject: string | undefined;
};

/**
 * Rows go in by their ids, so that two batches with the same beacons wait for each other one way only. An operation whose data are
 * erased, as its fingerprint is, gets no new ones.
 */
const text = `
insert into beacon (tenant, environment, id, operation_id, at, signal, times, took_ms, screen, progress, transitions, browser, device,
  network)
select $1, $2, b.id, o.id, now() - b.ago * interval '1 millisecond', b.signal, b.times, b.took, b.screen, b.progress, b.transitions,
  b.browser, b.device, b.network
from jsonb_to_recordset($3::jsonb) as b (id uuid, operation text, ago double precision, signal text, times integer, took bigint,
  screen text, progress smallint, transitions jsonb, browser text, device text, network text)
left join operation o on o.id = b.operation and o.tenant = $1 and o.environment = $2
  and ($4::text is null or o.subject = $4 or o.key_subject = '') and o.fingerprint_version <> 0
order by b.id
on conflict do nothing
returning signal, browser, device, network`;

export type KeptBeacon = Pick<Beacon, 'signal' | 'browser' | 'device' | 'network'>;

/** @returns what is new */
export async function recordBeacons(
  database: Database,
  { tenant, environment, subject }: Sender,
  beacons: readonly Beacon[],
): Promise<readonly KeptBeacon[]> {
  const values = [tenant, environment, JSON.stringify(beacons), subject ?? null];
  const [rows = []] = await database.flush(tenant, { name: 'record_beacons', text, values });
  return rows as unknown as readonly KeptBeacon[];
}
