import type { Environment } from '../../../../workflows/operation/key.ts';
import type { Database, Row, Statement } from '../database.ts';

/** What a tenant asks for when it creates an endpoint. */
export type WantedEndpoint = {
  readonly url: string;
  /** null: all. */
  readonly types: readonly string[] | null;
  readonly description: string | null;
};

/** Where a tenant has its events sent. */
export type WebhookEndpoint = WantedEndpoint & {
  readonly id: string;
  readonly createdAt: Date;
  readonly disabledAt: Date | null;
  readonly disabledBecause: string | null;
  readonly deleted: boolean;
};

/** Of a tenant. */
type Named = { readonly tenant: string; readonly environment: Environment; readonly id: string };

const columns =
  'id, url, types, description, created_at, disabled_at, disabled_because, deleted_at is not null as deleted';

const insert = `
insert into webhook_endpoint (id, tenant, environment, url, types, description, created_by)
values ($1, $2, $3, $4, $5, $6, $7) on conflict (id) do nothing`;

/** A rotation, or the end of the endpoint, may have come between the request and its retry. */
const insertSecret = `
insert into webhook_secret (id, endpoint_id, tenant, secret)
select $1, e.id, e.tenant, $3 from webhook_endpoint e
where e.id = $2 and not exists (select from webhook_secret s where s.endpoint_id = e.id)`;

const one = `select ${columns} from webhook_endpoint where id = $1 and environment = $2`;

const read = ({ id, environment }: Named): Statement => ({
  name: 'webhook_endpoint',
  text: one,
  values: [id, environment],
});

/**
 * Creates an endpoint with its first secret, unless its id is taken already.
 * @returns what has that id: compare it with what was wanted
 */
export async function createEndpoint(
  database: Database,
  named: Named,
  wanted: WantedEndpoint & { readonly by: string },
  secret: { readonly id: string; readonly text: string },
): Promise<WebhookEndpoint> {
  const { id, tenant, environment } = named;
  const { url, types, description, by } = wanted;
  const values = [id, tenant, environment, url, types, description, by];
  const [, , rows] = await database.flush(
    tenant,
    { name: 'create_webhook_endpoint', text: insert, values },
    { name: 'create_webhook_secret', text: insertSecret, values: [secret.id, id, secret.text] },
    read(named),
  );
  return endpointOf(rows?.[0] as Row);
}

/** @returns it, also where it was deleted; undefined where there was none of that id */
export async function readEndpoint(database: Database, named: Named): Promise<WebhookEndpoint | undefined> {
  const [rows] = await database.flush(named.tenant, read(named));
  return rows?.[0] && endpointOf(rows[0]);
}

const list = `
select ${columns} from webhook_endpoint
where tenant = $1 and environment = $2 and deleted_at is null
  and ($3::timestamptz is null or (date_trunc('milliseconds', created_at), id) < ($3, $4))
order by date_trunc('milliseconds', created_at) desc, id desc limit $5`;

type EndpointQuery = Omit<Named, 'id'> & {
  readonly limit: number;
  readonly after: { readonly createdAt: string; readonly id: string } | undefined;
};

/** One page, the latest first. */
export async function listEndpoints(
  database: Database,
  { tenant, environment, limit, after }: EndpointQuery,
): Promise<readonly WebhookEndpoint[]> {
  const values = [tenant, environment, after?.createdAt ?? null, after?.id ?? null, limit];
  const [rows] = await database.flush(tenant, { name: 'webhook_endpoints', text: list, values });
  return (rows ?? []).map(endpointOf);
}

const remove = `update webhook_endpoint set deleted_at = coalesce(deleted_at, now()) where id = $1 and environment = $2`;
/** What has been sent stays on record; nothing else is wanted any more. */
const forgetDeliveries = `
with unsent as (
  select d.id from delivery d join webhook_endpoint e on e.id = d.endpoint_id
  where e.id = $1 and e.environment = $2 and d.endpoint_id is not null and d.state <> 'sent'
  order by d.id limit $3 for update of d
)
delete from delivery d using unsent where d.id = unsent.id returning d.id`;
/** An endpoint that was away for days has hundreds of thousands, and a statement has seconds. */
const forgottenAtOnce = 1_000;
const forgetSecrets = `
update webhook_secret s set secret = null, signs_until = least(s.signs_until, now()) from webhook_endpoint e
where s.endpoint_id = e.id and e.id = $1 and e.environment = $2`;

/** Deletes it, with its secrets and with what has not left. @returns false where there was none of that id */
export async function deleteEndpoint(database: Database, named: Named): Promise<boolean> {
  const values = [named.id, named.environment];
  const [, , rows] = await database.flush(
    named.tenant,
    { name: 'delete_webhook_endpoint', text: remove, values },
    { name: 'delete_webhook_secrets', text: forgetSecrets, values },
    read(named),
  );
  for (;;) {
    const forget = { name: 'delete_webhook_deliveries', text: forgetDeliveries, values: [...values, forgottenAtOnce] };
    const [forgotten] = await database.flush(named.tenant, forget);
    if ((forgotten?.length ?? 0) < forgottenAtOnce) return rows?.length === 1;
  }
}

const enable = `
update webhook_endpoint set disabled_at = null, disabled_because = null
where id = $1 and environment = $2 and deleted_at is null returning ${columns}`;

/** @returns undefined where there is no such endpoint */
export async function enableEndpoint(database: Database, named: Named): Promise<WebhookEndpoint | undefined> {
  const statement = { name: 'enable_webhook_endpoint', text: enable, values: [named.id, named.environment] };
  const [rows] = await database.flush(named.tenant, statement);
  return rows?.[0] && endpointOf(rows[0]);
}

const disable = `
update webhook_endpoint set disabled_at = now(), disabled_because = $2 where id = $1 and disabled_at is null`;

/** Nothing is sent to it until an operator enables it again. @param database sees all tenants */
export async function disableEndpoint(database: Database, id: string, because: string): Promise<void> {
  await database.flush(null, { name: 'disable_webhook_endpoint', text: disable, values: [id, because] });
}

function endpointOf(row: Row): WebhookEndpoint {
  return {
    id: row.id as string,
    url: row.url as string,
    types: row.types as readonly string[] | null,
    description: row.description as string | null,
    createdAt: row.created_at as Date,
    disabledAt: row.disabled_at as Date | null,
    disabledBecause: row.disabled_because as string | null,
    deleted: row.deleted as boolean,
  };
}
