-- Uploads that come in pieces: over days, on many connections, through any process. What has been acknowledged is rows.
set local row_security = on;

-- One row for each upload whose bytes come in pieces, from its first piece on.
create table hapax.upload_session (
  operation_id text primary key references hapax.operation on delete cascade,
  tenant       text not null,
  size         bigint check (size >= 0),
  received     bigint not null default 0 check (received >= 0),
  epoch        integer not null default 0,
  writing      boolean not null default false,
  segment      integer not null default 1,
  next_part    integer not null default 1,
  hash         bytea,
  hash_tag     text,
  start        bytea not null default '',
  part_size    bigint check (part_size between 5242880 and 5368709120),
  touched_at   timestamptz not null default now(),
  constraint upload_session_within_its_size check (received <= size),
  constraint upload_session_hash_says_whose check ((hash is null) = (hash_tag is null))
);
comment on table hapax.upload_session is 'An upload whose bytes come in pieces: how many bytes are acknowledged, and who may write the next.';
comment on column hapax.upload_session.size is 'null until the caller tells it';
comment on column hapax.upload_session.received is 'bytes from the first on that are stored and will not be lost';
comment on column hapax.upload_session.epoch is 'grows with each writer: a former one commits nothing more';
comment on column hapax.upload_session.writing is 'somebody writes, or died while writing: a part of theirs may still reach the store';
comment on column hapax.upload_session.segment is 'the multipart upload that parts go to';
comment on column hapax.upload_session.hash is 'state of the SHA-256 over `received` bytes, readable only by the implementation in hash_tag; null: to be read';
comment on column hapax.upload_session.part_size is 'of the parts that a caller sends straight to the object store; null: it sends none, or chooses itself';
comment on column hapax.upload_session.start is 'the first bytes, which show the type';

-- Each multipart upload of a session. There is more than one where a writer was taken over in the middle of a part: its
-- part may arrive at any time, under a number that must then not be used by anybody else.
create table hapax.upload_segment (
  operation_id text not null references hapax.upload_session on delete cascade,
  segment      integer not null,
  tenant       text not null,
  object_key   text not null,
  s3_upload_id text not null,
  checksum     text not null check (checksum in ('CRC32', 'SHA256')),
  primary key (operation_id, segment)
);
comment on table hapax.upload_segment is 'A multipart upload, recorded before its first part is sent.';
comment on column hapax.upload_segment.checksum is 'what its parts are checked against: CRC32 by us, SHA256 by a caller that sends parts to the object store';

-- What a caller has said of a part that it sends straight to the object store, and we have signed. A part has arrived if
-- the store lists it with this checksum; its size alone proves nothing.
create table hapax.upload_signed_part (
  operation_id text not null references hapax.upload_session on delete cascade,
  part         integer not null check (part between 1 and 10000),
  tenant       text not null,
  checksum     text not null,
  primary key (operation_id, part)
);
comment on table hapax.upload_signed_part is 'The SHA-256 of parts that were signed for a caller, as S3 writes it. The newest one counts.';

-- The acknowledged bytes, without gaps: a part of a segment, or a small object of its own.
create table hapax.upload_piece (
  operation_id text not null references hapax.upload_session on delete cascade,
  at           bigint not null check (at >= 0),
  size         bigint not null check (size > 0),
  tenant       text not null,
  segment      integer,
  part         integer check (part between 1 and 10000),
  etag         text,
  checksum     text,
  object_key   text,
  primary key (operation_id, at),
  constraint upload_piece_is_a_part_or_an_object check ((part is null) = (object_key is not null)),
  constraint upload_piece_part_is_whole check ((part is null) = (segment is null) and (part is null) = (etag is null)),
  constraint upload_piece_part_counts_once unique (operation_id, segment, part)
);
comment on table hapax.upload_piece is 'Where acknowledged bytes are: in a part of a segment, or in an object of their own.';
comment on column hapax.upload_piece.at is 'offset of its first byte';
comment on column hapax.upload_piece.checksum is 'of a part, as S3 writes it';

do $$
declare
  one text;
begin
  foreach one in array array['upload_session', 'upload_segment', 'upload_signed_part', 'upload_piece'] loop
    execute format('alter table hapax.%I enable row level security', one);
    execute format('alter table hapax.%I force row level security', one);
    execute format('create policy acting_roles on hapax.%I as restrictive using (current_user in (''hapax_app'', ''hapax_upkeep''))', one);
    execute format('create policy tenant_only on hapax.%I to hapax_app using (tenant = hapax.current_tenant())', one);
    execute format('create policy all_tenants on hapax.%I to hapax_upkeep using (true)', one);
    execute format('grant select, insert, update, delete on hapax.%I to hapax_app', one);
    execute format('grant select on hapax.%I to hapax_upkeep', one);
  end loop;
end $$;

-- Takes the session over for one writer. From here on nobody else commits. It is refused where the writer's first byte is
-- not the next one, and where all bytes have come meanwhile.
--   told_size   the size, where this writer tells it
create function hapax.take_session(of_operation text, at_offset bigint, told_size bigint)
returns table (
  outcome text, received bigint, size bigint, epoch integer, segment integer, part integer, object_key text,
  s3_upload_id text, hash bytea, hash_tag text, start bytea, tails jsonb)
language plpgsql as $$
declare
  it hapax.upload_session;
begin
  insert into hapax.upload_session (operation_id, tenant, size)
  select o.id, o.tenant, (o.request ->> 'size')::bigint from hapax.operation o
  where o.id = of_operation and o.settled_at is null
    and not exists (select from hapax.awaited a where a.operation_id = o.id and a.step = 'receive')
  on conflict do nothing;
  select * into it from hapax.upload_session s where s.operation_id = of_operation for no key update;
  if not found then
    return query select 'ended', 0::bigint, null::bigint, 0, 0, 0, null, null, null::bytea, null, null::bytea, null::jsonb;
    return;
  elsif it.received <> at_offset then
    return query select 'elsewhere', it.received, it.size, it.epoch, 0, 0, null, null, null::bytea, null, null::bytea, null::jsonb;
    return;
  elsif it.size <> told_size or told_size < it.received then
    return query select 'otherwise', it.received, it.size, it.epoch, 0, 0, null, null, null::bytea, null, null::bytea, null::jsonb;
    return;
  end if;
  if it.writing and exists (
    select from hapax.upload_segment g where g.operation_id = of_operation and g.segment = it.segment
  ) then
    it.segment := it.segment + 1;
    it.next_part := 1;
  end if;
  update hapax.upload_session s
  set epoch = it.epoch + 1, writing = true, segment = it.segment, next_part = it.next_part,
      size = coalesce(it.size, told_size), touched_at = now()
  where s.operation_id = of_operation;
  return query
    select 'taken', it.received, coalesce(it.size, told_size), it.epoch + 1, it.segment, it.next_part, g.object_key,
      g.s3_upload_id, it.hash, it.hash_tag, it.start, (
        select jsonb_agg(jsonb_build_object('at', p.at, 'size', p.size, 'objectKey', p.object_key) order by p.at)
        from hapax.upload_piece p where p.operation_id = of_operation and p.object_key is not null
          and p.at > coalesce((select max(q.at) from hapax.upload_piece q where q.operation_id = of_operation and q.part is not null), -1))
    from (select) one left join hapax.upload_segment g on g.operation_id = of_operation and g.segment = it.segment;
end $$;
comment on function hapax.take_session is 'Makes the caller the only writer of an upload, if its first byte is the next one.';

-- Acknowledges bytes. Nothing happens where another writer has taken over meanwhile.
--   piece       {at, size, part, etag, checksum} or {at, size, objectKey}; it may hold small objects anew that stood before
--   rests       the writer commits no more, and no part of its own is under way
create function hapax.keep_piece(
  of_operation text, by_epoch integer, piece jsonb, new_hash bytea, new_tag text, new_start bytea, rests boolean,
  lifetime_ms double precision)
returns boolean language plpgsql as $$
declare
  it hapax.upload_session;
  ends bigint := (piece ->> 'at')::bigint + (piece ->> 'size')::bigint;
begin
  select * into it from hapax.upload_session s where s.operation_id = of_operation for no key update;
  if it.epoch is distinct from by_epoch or not it.writing then
    return false;
  elsif (piece ->> 'at')::bigint > it.received or ends <= it.received then
    raise exception 'a piece to % leaves a gap behind %, or adds nothing', ends, it.received;
  end if;
  delete from hapax.upload_piece p where p.operation_id = of_operation and p.at >= (piece ->> 'at')::bigint;
  insert into hapax.upload_piece (operation_id, at, size, tenant, segment, part, etag, checksum, object_key)
  values (
    of_operation, (piece ->> 'at')::bigint, (piece ->> 'size')::bigint, it.tenant,
    case when piece ? 'part' then it.segment end, (piece ->> 'part')::integer, piece ->> 'etag', piece ->> 'checksum',
    piece ->> 'objectKey');
  update hapax.upload_session
  set received = ends, writing = not rests, hash = new_hash, hash_tag = new_tag, start = new_start, touched_at = now(),
      next_part = case when piece ? 'part' then (piece ->> 'part')::integer + 1 else next_part end
  where operation_id = of_operation;
  -- Where bytes come, the wait goes on. A minute is little of a week, and saves most of the writes.
  update hapax.operation set deadline = now() + lifetime_ms * interval '1 millisecond'
  where id = of_operation and state in ('claimed', 'waiting') and cancel_requested_at is null
    and deadline between now() and now() + lifetime_ms * interval '1 millisecond' - interval '1 minute';
  return true;
end $$;
comment on function hapax.keep_piece is 'Acknowledges bytes of the writer that holds the session, and lets the upload live on.';

-- All bytes are there, in parts that the caller has sent to the object store itself. Nothing happens where others have come.
--   parts   [{at, size, part, etag, checksum}] in their order
create function hapax.keep_parts(of_operation text, of_segment integer, parts jsonb) returns boolean language plpgsql as $$
declare
  it hapax.upload_session;
begin
  select * into it from hapax.upload_session s where s.operation_id = of_operation for no key update;
  if not found then
    return false;
  elsif it.received > 0 then
    return exists (select from hapax.upload_piece p where p.operation_id = of_operation and p.segment = of_segment);
  end if;
  insert into hapax.upload_piece (operation_id, at, size, tenant, segment, part, etag, checksum)
  select of_operation, p.at, p.size, it.tenant, of_segment, p.part, p.etag, p.checksum
  from jsonb_to_recordset(parts) p (at bigint, size bigint, part integer, etag text, checksum text);
  update hapax.upload_session
  set received = (select sum(p.size) from hapax.upload_piece p where p.operation_id = of_operation),
      size = coalesce(size, (select sum(p.size) from hapax.upload_piece p where p.operation_id = of_operation)),
      epoch = epoch + 1, touched_at = now()
  where operation_id = of_operation;
  return true;
end $$;
comment on function hapax.keep_parts is 'Acknowledges all bytes of an upload whose caller has sent them to the object store in parts.';

-- Another way in names its bytes by its own name.
alter table hapax.transfer drop constraint transfer_method_check;
