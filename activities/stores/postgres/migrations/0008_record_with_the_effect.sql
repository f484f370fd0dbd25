-- An effect of our own rows records its step in its own statement, so that effect, record and commit are one flush, and the
-- rows that others wait for (stock) are held for no round trip. Gives what the statement answers with as `done`.
create function hapax.step_done(held text, entered text, outcome jsonb) returns jsonb language plpgsql as $$
begin
  update hapax.step set state = 'done', result = outcome, refusal = null, ended_at = now()
    where operation_id = held and name = entered;
  if not found then
    raise exception 'step % of operation % was not begun', entered, held;
  end if;
  return jsonb_build_object('result', outcome);
end $$;
