-- The step of no return is not begun once patience has ended, by this clock: its caller has gone, and the worker that would
-- begin it may have slept. What was begun in time goes on.
create function hapax.expect_patience(held text, patience_ms double precision) returns void language plpgsql as $$
begin
  if exists (
    select from hapax.operation
    where id = held and no_return_at is null and deadline is null
      and created_at + patience_ms * interval '1 millisecond' < now()) then
    raise exception 'the patience of operation % has ended', held using errcode = 'HX006';
  end if;
end $$;
