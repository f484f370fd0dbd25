-- API keys, for callers that bring no JWT. Only a hash is kept: the secret is 256 random bits, so nobody can guess it from
-- its SHA-256, and a slow hash would only slow down every request.
create table hapax.api_key (
  prefix       text primary key constraint api_key_prefix_is_hex check (prefix ~ '^[0-9a-f]{12}$'),
  hash         bytea not null constraint api_key_hash_is_sha256 check (octet_length(hash) = 32),
  tenant       text not null constraint api_key_has_a_tenant check (tenant <> ''),
  environment  text not null constraint api_key_environment check (environment in ('live', 'test')),
  subject      text not null constraint api_key_has_a_subject check (subject <> ''),
  role         text not null constraint api_key_role check (role in ('viewer', 'caller', 'operator')),
  note         text,
  created_at   timestamptz not null default now(),
  expires_at   timestamptz,
  -- To the minute: written off the path of requests.
  last_used_at timestamptz,
  revoked_at   timestamptz
);

alter table hapax.api_key enable row level security;
alter table hapax.api_key force row level security;

-- A key is looked up before its tenant is known. The HTTP API sees the one row whose prefix it names, and cannot list.
create policy found_by_prefix on hapax.api_key to hapax_app
  using (prefix = nullif(current_setting('hapax.api_key', true), ''));
-- `npm run keys` works as the owner of the table, whoever that is after a change of owner.
create policy owner_manages on hapax.api_key
  using (pg_has_role((select relowner from pg_class where oid = 'hapax.api_key'::regclass), 'usage'));

grant select on hapax.api_key to hapax_app;
grant update (last_used_at) on hapax.api_key to hapax_app;

-- Gives no row for a key that is unknown, revoked or expired: they look alike.
create function hapax.find_api_key(of_prefix text)
returns table (hash bytea, tenant text, environment text, subject text, role text, expires_in_ms double precision, used_lately boolean)
language plpgsql as $$
begin
  perform set_config('hapax.api_key', of_prefix, true);
  return query
    select k.hash, k.tenant, k.environment, k.subject, k.role,
           extract(epoch from k.expires_at - clock_timestamp())::double precision * 1000,
           coalesce(k.last_used_at > clock_timestamp() - interval '1 minute', false)
    from hapax.api_key k
    where k.prefix = of_prefix and k.revoked_at is null
      and (k.expires_at is null or k.expires_at > clock_timestamp());
end $$;

-- Many processes may say so at once: the first one each minute writes.
create function hapax.use_api_key(of_prefix text) returns void
language plpgsql as $$
begin
  perform set_config('hapax.api_key', of_prefix, true);
  update hapax.api_key k set last_used_at = clock_timestamp()
  where k.prefix = of_prefix
    and (k.last_used_at is null or k.last_used_at < clock_timestamp() - interval '1 minute');
end $$;
