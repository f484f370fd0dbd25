-- When a step was sent, so that its next send keeps the schedule that its flow declares, whichever run makes it.
alter table hapax.step
  add column last_sent_at   timestamptz,
  add column sent_before_at timestamptz,
  add column not_before     timestamptz,
  add column undo_attempt   integer not null default 0;

comment on column hapax.step.last_sent_at is 'the newest send; null where sent_at is the only one';
comment on column hapax.step.sent_before_at is 'the send before the newest, which counts again where the newest was not sent after all';
comment on column hapax.step.not_before is 'until then the outside has asked to be left alone';
comment on column hapax.step.undo_attempt is 'how often its undo was sent';
