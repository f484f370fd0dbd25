-- A caller that sends parts to the object store may check them by SHA-256, or leave it to the CRC64NVME of the whole.
set local row_security = on;

alter table hapax.upload_segment drop constraint upload_segment_checksum_check;
alter table hapax.upload_segment add constraint upload_segment_checksum_check check (checksum in ('CRC32', 'SHA256', 'CRC64NVME'));
comment on column hapax.upload_segment.checksum is 'what its parts are checked against: CRC32 by us, the others by a caller that sends parts to the object store';
comment on table hapax.upload_signed_part is 'The checksum of parts that were signed for a caller, as S3 writes it. The newest one counts.';

-- What the sender of the parts says of the whole. It is recorded with the parts, so that whoever finds them compares it.
alter table hapax.upload_session add column crc64nvme text
  constraint upload_session_crc64nvme_is_base64 check (crc64nvme ~ '^[A-Za-z0-9+/]{10}[AEIMQUYcgkosw048]=$');
comment on column hapax.upload_session.crc64nvme is 'of all bytes in base64, as the sender of parts has told it; the object store compares it';

-- Where bytes come, the wait goes on. A minute is little of a week, and saves most of the writes.
create or replace function hapax.extend_wait(of_operation text, lifetime_ms double precision) returns void language sql as $$
  update hapax.operation set deadline = now() + lifetime_ms * interval '1 millisecond'
  where id = of_operation and state in ('claimed', 'waiting') and cancel_requested_at is null
    and deadline between now() and now() + lifetime_ms * interval '1 millisecond' - interval '1 minute'
$$;
comment on function hapax.extend_wait is 'Lets an open upload live on from now, unless it has ended or is to be cancelled.';

-- As before, but for the wait, which others extend as well.
create or replace function hapax.keep_piece(
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
  perform hapax.extend_wait(of_operation, lifetime_ms);
  return true;
end $$;

-- The caller's parts go to another multipart upload, with checksums of another kind. What was signed for the former says
-- nothing of the new one. Nothing happens where bytes are acknowledged, or another one was chosen meanwhile.
create function hapax.exchange_caller_parts(of_operation text, former text, next text, checked_by text)
returns boolean language plpgsql as $$
begin
  perform from hapax.upload_session s where s.operation_id = of_operation and s.received = 0 for no key update;
  if not found then
    return false;
  end if;
  update hapax.upload_segment set s3_upload_id = next, checksum = checked_by
  where operation_id = of_operation and segment = 0 and s3_upload_id = former;
  if not found then
    return false;
  end if;
  delete from hapax.upload_signed_part where operation_id = of_operation;
  return true;
end $$;
comment on function hapax.exchange_caller_parts is 'Lets the parts of a caller go to another multipart upload, as long as none is acknowledged.';

-- All bytes are there, in parts that the caller has sent to the object store itself. Nothing happens where others have come.
--   of_upload   the multipart upload that holds the parts
--   parts       [{at, size, part, etag, checksum}] in their order
--   outcome     kept; other: the upload has other bytes; exchanged: its parts go to another multipart upload by now
--   whole       the CRC64NVME that counts: the one that was told with the parts that were kept
create function hapax.keep_caller_parts(of_operation text, of_upload text, parts jsonb, inout whole text, out outcome text)
language plpgsql as $$
declare
  it hapax.upload_session;
begin
  select * into it from hapax.upload_session s where s.operation_id = of_operation for no key update;
  if it.received > 0 then
    whole := it.crc64nvme;
    outcome := case when exists (
      select from hapax.upload_piece p where p.operation_id = of_operation and p.segment = 0) then 'kept' else 'other' end;
    return;
  elsif not exists (
    select from hapax.upload_segment g
    where g.operation_id = of_operation and g.segment = 0 and g.s3_upload_id = of_upload) then
    outcome := 'exchanged';
    return;
  end if;
  insert into hapax.upload_piece (operation_id, at, size, tenant, segment, part, etag, checksum)
  select of_operation, p.at, p.size, it.tenant, 0, p.part, p.etag, p.checksum
  from jsonb_to_recordset(parts) p (at bigint, size bigint, part integer, etag text, checksum text);
  update hapax.upload_session
  set received = (select sum(p.size) from hapax.upload_piece p where p.operation_id = of_operation),
      size = coalesce(size, (select sum(p.size) from hapax.upload_piece p where p.operation_id = of_operation)),
      epoch = epoch + 1, touched_at = now(), crc64nvme = whole
  where operation_id = of_operation;
  outcome := 'kept';
end $$;
comment on function hapax.keep_caller_parts is 'Acknowledges all bytes of an upload whose caller has sent them to the object store in parts.';

-- For the former build, which knows of no other kind of parts.
create or replace function hapax.keep_parts(of_operation text, of_segment integer, parts jsonb)
returns boolean language sql as $$
  select k.outcome = 'kept' from hapax.upload_segment g
    cross join lateral hapax.keep_caller_parts(of_operation, g.s3_upload_id, parts, null) k
  where g.operation_id = of_operation and g.segment = of_segment
$$;

-- What a chunk or a part is called in the API, in logs and here (workflows/operation/key.ts).
alter table hapax.upload_piece add column id text generated always as (
  operation_id || '.' || case when segment = 0 then 'part-' || part::text else at::text end) stored;
comment on column hapax.upload_piece.id is 'what a chunk or a part is called in the API and in logs';

-- What kind of client has asked, in few words that recognise nobody. Rows that are there have the default, and need not be
-- read under a lock.
alter table hapax.arrival
  add column browser text not null default 'unknown',
  add column device text not null default 'unknown',
  add column network text not null default 'unknown';
alter table hapax.arrival
  add constraint arrival_browser_is_a_word check (browser ~ '^[a-z0-9-]{1,12}$') not valid,
  add constraint arrival_device_is_a_word check (device ~ '^[a-z0-9-]{1,12}$') not valid,
  add constraint arrival_network_is_a_word check (network ~ '^[a-z0-9-]{1,12}$') not valid;
