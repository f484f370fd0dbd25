-- Accounts, which sign-ups make. An address is stored sealed; what makes it unique is a keyed digest of its normal form.
set local row_security = on;

create table hapax.account (
  id           text not null primary key check (id ~ '^acc_[0-9a-z]{26}$'),
  tenant       text not null,
  environment  text not null check (environment in ('live', 'test')),
  operation_id text not null,
  subject      text not null,
  state        text not null default 'unverified' check (state in ('unverified', 'active', 'erased')),
  email        text,
  name         text,
  password     text,
  created_at   timestamptz not null default now(),
  verified_at  timestamptz,
  constraint account_of_one_signup unique (operation_id),
  constraint account_is_whole_or_erased check (
    case state when 'erased' then num_nonnulls(email, name, password) = 0 else num_nulls(email, password) = 0 end),
  constraint account_is_active_when_verified check (state = 'erased' or (state = 'active') = (verified_at is not null))
);
comment on table hapax.account is 'What a sign-up makes. Until its address is confirmed it is `unverified`, and goes away with its sign-up.';
comment on column hapax.account.subject is 'who asked for the sign-up';
comment on column hapax.account.operation_id is 'the sign-up; the account outlives that one''s row';
comment on column hapax.account.email is 'sealed; it opens with the place of its sign-up''s field `email`, and name and password with theirs';
comment on column hapax.account.password is 'the argon2id hash, sealed';

-- One row for each seal key, so that two processes in the middle of a rotation of keys know the same address.
create table hapax.account_address (
  tenant      text not null,
  environment text not null,
  address     text not null,
  account_id  text not null references hapax.account on delete cascade,
  constraint address_has_one_account primary key (tenant, environment, address)
);
create index address_of_account on hapax.account_address (account_id);
comment on table hapax.account_address is 'Which account has an address. The address is a keyed digest of its normal form.';

-- A sign-up for an address that is taken has a row as well: who asks cannot tell the two apart.
create table hapax.signup (
  operation_id text not null primary key references hapax.operation on delete cascade,
  tenant       text not null,
  environment  text not null check (environment in ('live', 'test')),
  addresses    text[] not null,
  taken        boolean not null,
  mails        integer not null default 1,
  mailed_at    timestamptz not null default clock_timestamp()
);
comment on column hapax.signup.addresses is 'its address, as account_address has it: a digest for each seal key';
comment on column hapax.signup.taken is 'the address had an account already: only its owner is told';
comment on column hapax.signup.mails is 'how many mails were asked for, whether they left or not';

create table hapax.signup_mail (
  message_id   text not null primary key,
  operation_id text not null references hapax.operation on delete cascade,
  tenant       text not null,
  environment  text not null,
  addresses    text[] not null,
  token_hash   bytea check (octet_length(token_hash) = 32),
  expires_at   timestamptz,
  told_at      timestamptz not null default clock_timestamp(),
  constraint link_leads_to_one_signup unique (token_hash),
  constraint link_expires check ((token_hash is null) = (expires_at is null))
);
-- Not by address: row security keeps `&&` out of an index. A day of one tenant is looked through.
create index signup_mail_told on hapax.signup_mail (tenant, environment, told_at);
create index signup_mail_of_operation on hapax.signup_mail (operation_id);
comment on table hapax.signup_mail is 'The mails that sign-ups have told, by address.';
comment on column hapax.signup_mail.token_hash is 'SHA-256 of the token in its link: 256 random bits, so that a slow hash adds nothing. null: it has no link';

do $$
declare
  made text;
begin
  foreach made in array array['account', 'account_address', 'signup', 'signup_mail'] loop
    execute format('alter table hapax.%I enable row level security', made);
    execute format('alter table hapax.%I force row level security', made);
    execute format(
      'create policy acting_roles on hapax.%I as restrictive using (current_user in (''hapax_app'', ''hapax_upkeep''))', made);
    execute format('create policy tenant_only on hapax.%I to hapax_app using (tenant = hapax.current_tenant())', made);
    execute format('create policy all_tenants on hapax.%I to hapax_upkeep using (true)', made);
    execute format('grant select, insert, update, delete on hapax.%I to hapax_app', made);
    execute format('grant select, update, delete on hapax.%I to hapax_upkeep', made);
  end loop;
end $$;

-- A link is looked up before its tenant is known. The HTTP API sees the one row whose token it names, and cannot list.
create policy found_by_token on hapax.signup_mail for select to hapax_app
  using (encode(token_hash, 'hex') = nullif(current_setting('hapax.signup_token', true), ''));

create function hapax.find_signup_link(of_token bytea)
returns table (tenant text, operation_id text, expired boolean) language plpgsql as $$
begin
  perform set_config('hapax.signup_token', encode(of_token, 'hex'), true);
  return query
    select m.tenant, m.operation_id, m.expires_at <= clock_timestamp() from hapax.signup_mail m where m.token_hash = of_token;
end $$;
comment on function hapax.find_signup_link is 'The sign-up that a link leads to, and whether the link has expired.';

-- Whether one more mail may go to an address: ten in an hour are enough for whoever owns it, whatever others ask for.
create function hapax.may_mail_address(of_tenant text, of_environment text, of_addresses text[]) returns boolean language sql as $$
  select count(*) < 10 from hapax.signup_mail
  where tenant = of_tenant and environment = of_environment and addresses && of_addresses
    and told_at > statement_timestamp() - interval '1 hour'
$$;
comment on function hapax.may_mail_address is 'Whether one more mail may go to an address: ten in an hour at most.';

create function hapax.tell_signup_link(
  of_operation text, of_account text, of_addresses text[], message text, sealed_token text, token bytea, lives_ms double precision)
returns void language plpgsql as $$
declare
  op record;
begin
  select tenant, environment, request ->> 'email' as email into strict op from hapax.operation where id = of_operation;
  insert into hapax.signup_mail (message_id, operation_id, tenant, environment, addresses, token_hash, expires_at)
  values (message, of_operation, op.tenant, op.environment, of_addresses, token, clock_timestamp() + lives_ms * interval '1 millisecond');
  perform hapax.tell(
    message, of_operation, 'mail', 'account', of_account, 'signup.welcome',
    jsonb_build_object('email', op.email, 'token', sealed_token));
end $$;
comment on function hapax.tell_signup_link is 'Tells an address of a link that confirms it.';

-- Holds an address for a new account and tells it, or finds it taken. Two sign-ups at once meet at address_has_one_account: the
-- second waits for the first, and sees it.
create function hapax.begin_signup(
  of_operation text, new_account text, of_addresses text[], reveals boolean,
  message text, sealed_token text, token bytea, lives_ms double precision)
returns text language plpgsql as $$
declare
  op record;
  holder record;
  held integer;
begin
  if cardinality(of_addresses) = 0 then
    return 'unsound';
  end if;
  -- Account and mails outlive the row of their sign-up, and with it the tombstone of its key.
  if exists (select from hapax.account a where a.operation_id = of_operation)
    or exists (select from hapax.outbox o where o.id = message)
  then
    return 'spent';
  end if;
  select tenant, environment, subject, request into strict op from hapax.operation where id = of_operation;
  loop
    insert into hapax.account (id, tenant, environment, operation_id, subject, email, name, password)
    values (
      new_account, op.tenant, op.environment, of_operation, op.subject,
      op.request ->> 'email', op.request ->> 'name', op.request ->> 'password');
    insert into hapax.account_address (tenant, environment, address, account_id)
    select op.tenant, op.environment, one, new_account from unnest(of_addresses) as one order by one
    on conflict on constraint address_has_one_account do nothing;
    get diagnostics held = row_count;
    if held = cardinality(of_addresses) then
      insert into hapax.signup (operation_id, tenant, environment, addresses, taken)
      values (of_operation, op.tenant, op.environment, of_addresses, false);
      if hapax.may_mail_address(op.tenant, op.environment, of_addresses) then
        perform hapax.tell_signup_link(of_operation, new_account, of_addresses, message, sealed_token, token, lives_ms);
      end if;
      return 'held';
    end if;
    delete from hapax.account where id = new_account;
    if reveals then
      return 'taken';
    end if;
    -- Of several at once each sees the mail of the one before.
    select a.id, a.state into holder from hapax.account_address d join hapax.account a on a.id = d.account_id
    where d.tenant = op.tenant and d.environment = op.environment and d.address = any(of_addresses)
    order by d.address limit 1 for update of d;
    -- Otherwise the address has become free meanwhile.
    exit when found;
  end loop;
  insert into hapax.signup (operation_id, tenant, environment, addresses, taken)
  values (of_operation, op.tenant, op.environment, of_addresses, true);
  -- A second click on the same form says nothing that the first mail did not say, and one notice a day is enough. Whoever else has
  -- asked for this address is told by the notice that somebody was there before: its owner could confirm a stranger's password.
  if not exists (
    select from hapax.signup_mail m
    where m.tenant = op.tenant and m.environment = op.environment and m.addresses && of_addresses
      and m.told_at > statement_timestamp() - interval '1 day'
      and (
        m.token_hash is null
        or m.told_at > clock_timestamp() - interval '1 hour'
          and exists (select from hapax.operation o where o.id = m.operation_id and o.subject = op.subject)))
  then
    insert into hapax.signup_mail (message_id, operation_id, tenant, environment, addresses)
    values (message, of_operation, op.tenant, op.environment, of_addresses);
    perform hapax.tell(
      message, of_operation, 'mail', 'account', holder.id, 'signup.taken',
      jsonb_build_object('email', op.request ->> 'email', 'account', holder.state));
  end if;
  return 'silent';
end $$;
comment on function hapax.begin_signup is
  'Holds an address for a new account and tells it (`held`), or finds it taken: `silent` tells its owner, `taken`, `unsound` and `spent` do nothing.';

create function hapax.resend_signup_mail(
  of_signup text, message text, sealed_token text, token bytea, lives_ms double precision, pause_ms double precision)
returns jsonb language plpgsql as $$
declare
  it record;
  known boolean;
  left_ms double precision;
  account text;
begin
  select s.tenant, s.environment, s.addresses, s.taken, s.mails, s.mailed_at, o.settled_at into it
  from hapax.signup s join hapax.operation o on o.id = s.operation_id
  where s.operation_id = of_signup for update of s;
  known := found;
  if not known and exists (select from hapax.operation o where o.id = of_signup and o.flow = 'signup' and o.settled_at is null) then
    -- Its worker has not begun.
    return jsonb_build_object('became', 'soon', 'left', 1000);
  end if;
  if not known then
    return jsonb_build_object('became', 'unknown');
  end if;
  if it.settled_at is not null then
    return jsonb_build_object('became', 'over');
  end if;
  left_ms := pause_ms * 2 ^ (it.mails - 1) - extract(epoch from clock_timestamp() - it.mailed_at) * 1000;
  if left_ms > 0 then
    return jsonb_build_object('became', 'soon', 'left', ceil(left_ms));
  end if;
  update hapax.signup set mails = mails + 1, mailed_at = clock_timestamp() where operation_id = of_signup;
  select id into account from hapax.account where operation_id = of_signup;
  if account is not null and hapax.may_mail_address(it.tenant, it.environment, it.addresses) then
    perform hapax.tell_signup_link(of_signup, account, it.addresses, message, sealed_token, token, lives_ms);
  end if;
  return jsonb_build_object('became', 'told', 'mails', it.mails + 1);
end $$;
comment on function hapax.resend_signup_mail is
  'Tells the address of a sign-up again, with a link of its own. The pause before each mail is twice as long as the one before.';
