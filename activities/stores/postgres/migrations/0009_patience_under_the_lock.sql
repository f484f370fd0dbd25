-- Whether the step of no return is begun in time is decided under the lock that the rest of its transaction holds.
create or replace function hapax.expect_patience(held text, patience_ms double precision) returns void language plpgsql as $$
declare
  late boolean;
begin
  select no_return_at is null and deadline is null and created_at + patience_ms * interval '1 millisecond' < now() into late
    from hapax.operation where id = held for no key update;
  if late then
    raise exception 'the patience of operation % has ended', held using errcode = 'HX006';
  end if;
end $$;
