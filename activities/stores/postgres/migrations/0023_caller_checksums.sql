-- A caller that sends parts to the object store may check them by SHA-256, or leave it to the CRC64NVME of the whole.
set local row_security = on;

alter table hapax.upload_segment drop constraint upload_segment_checksum_check;
alter table hapax.upload_segment add constraint upload_segment_checksum_check check (checksum in ('CRC32', 'SHA256', 'CRC64NVME'));
comment on column hapax.upload_segment.checksum is 'what its parts are checked against: CRC32 by us, the others by a caller that sends parts to the object store';
comment on table hapax.upload_signed_part is 'The checksum of parts that were signed for a caller, as S3 writes it. The newest one counts.';
