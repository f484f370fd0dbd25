-- Apart from 0025, whose locks would last as long as this takes.
set local row_security = on;

alter table hapax.content validate constraint content_state_check;
-- Keys are compared as the object store lists them: byte by byte.
create index content_by_object on hapax.content (object_key collate "C");
create index content_lost on hapax.content (id) where state = 'lost';
create index derivative_by_content on hapax.derivative (content_id collate "C");
