-- A caller that sends parts to the object store may check them by SHA-256, or leave it to the CRC64NVME of the whole.
set local row_security = on;

alter table hapax.upload_segment drop constraint upload_segment_checksum_check;
alter table hapax.upload_segment add constraint upload_segment_checksum_check check (checksum in ('CRC32', 'SHA256', 'CRC64NVME'));
comment on column hapax.upload_segment.checksum is 'what its parts are checked against: CRC32 by us, the others by a caller that sends parts to the object store';
comment on table hapax.upload_signed_part is 'The checksum of parts that were signed for a caller, as S3 writes it. The newest one counts.';

-- What a chunk or a part is called in the API, in logs and here (workflows/operation/key.ts).
alter table hapax.upload_piece add column id text generated always as (
  operation_id || '.' || case when segment = 0 then 'part-' || part::text else at::text end) stored;
comment on column hapax.upload_piece.id is 'what a chunk or a part is called in the API and in logs';

-- What kind of client has asked, in few words that recognise nobody.
alter table hapax.arrival
  add column browser text not null default 'unknown' check (browser ~ '^[a-z0-9-]{1,12}$'),
  add column device text not null default 'unknown' check (device ~ '^[a-z0-9-]{1,12}$'),
  add column network text not null default 'unknown' check (network ~ '^[a-z0-9-]{1,12}$');
