-- A fresh operation is taken over by its first step, in that step's transaction: one commit less than a take-over of its own.
-- Only an operation that nobody has held can be: a second try of the same run, whose first one may still be alive somewhere,
-- has to take over by itself, which raises the fence.
create function hapax.open_operation(opened text, run text, patience_ms double precision) returns void language plpgsql as $$
begin
  update hapax.operation
    set fence = 1, run_id = run, state = 'running', updated_at = now()
    where id = opened and fence = 0 and settled_at is null
      and created_at + patience_ms * interval '1 millisecond' > now();
  if not found then
    raise exception 'operation % is not to be opened: it was held before, has settled or has waited too long', opened
      using errcode = 'HX007';
  end if;
end $$;
