-- What each event costs. Its id is made of tenant, environment, source and the sender's id, so the primary key says already that it
-- is recorded once.
alter table hapax.inbox_event drop constraint event_is_recorded_once;
