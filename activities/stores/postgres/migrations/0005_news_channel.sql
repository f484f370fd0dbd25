-- The news that an operation has settled carries its answer, and NOTIFY knows no rights: whoever may connect to a database
-- may listen to any channel and notify it. So this one has a name that only those can read who may read the ledger.
create table hapax.news_channel (
  single boolean primary key default true check (single),
  name   text not null
);
insert into hapax.news_channel (name) values ('hapax_settled_' || replace(gen_random_uuid()::text, '-', ''));
alter table hapax.news_channel enable row level security;
create policy readers_of_the_ledger on hapax.news_channel for select to hapax_app using (true);
grant select on hapax.news_channel to hapax_app;
