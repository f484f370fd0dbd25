-- The claim decides who goes first: guarded by operation_has_one_name, so that of any number of claims one inserts.
-- It is a function so that it is one message and its own transaction: it sets its tenant, looks, and inserts only where the
-- name is free, so that a replay pays for one look at an index. Gives no row where the name is free and may_insert is
-- false, and where the generation before has been dropped. It runs with its caller's rights: row-level security decides.
create function hapax.claim(
  may_insert boolean, new_id text, of_tenant text, of_environment text, asked_by text, of_key_subject text, of_flow text,
  new_flow_version integer, of_key text, new_generation integer, new_fingerprint text, new_fingerprint_version integer,
  new_request jsonb, new_request_id text, new_state text, patience_ms double precision)
returns table (
  created boolean, id text, environment text, generation integer, fingerprint text, fingerprint_version integer, state text,
  request_id text, run_id text, renewable boolean, deadline timestamptz, created_at timestamptz, flow_version integer,
  answer_status integer, answer_headers jsonb, answer_body bytea, answer_expires_at timestamptz, settled_at timestamptz)
language plpgsql
-- A connection that has planned while the table was small would read all of it until its statistics are renewed.
set enable_seqscan = off
as $$
begin
  perform set_config('hapax.tenant', of_tenant, true);
  for turn in 1..20 loop
    -- Each statement has a snapshot of its own: who has lost the name to another claim sees that one's row in the next turn.
    -- Twenty turns are no limit that a race can reach: past them something else is wrong, and it is said.
    return query
      select false, o.id, o.environment, o.generation, o.fingerprint, o.fingerprint_version, o.state, o.request_id, o.run_id,
             o.renewable, o.deadline, o.created_at, o.flow_version, o.answer_status, o.answer_headers, o.answer_body,
             o.answer_expires_at, o.settled_at
      from (
        select * from hapax.operation named
        where named.tenant = of_tenant and named.environment = of_environment and named.key_subject = of_key_subject
          and named.flow = of_flow and named.key = of_key
        order by named.generation desc limit 1) o
      where o.generation >= new_generation or (o.generation = new_generation - 1 and not o.renewable);
    if found or not may_insert then
      return;
    end if;
    -- A generation follows one that stands, and that stays until this claim has committed: were it dropped as outlived in
    -- between, others would begin at the first generation beside this one.
    if new_generation > 1 then
      perform from hapax.operation before
        where before.tenant = of_tenant and before.environment = of_environment and before.key_subject = of_key_subject
          and before.flow = of_flow and before.key = of_key and before.generation = new_generation - 1
        for key share;
      if not found then
        return;
      end if;
    end if;
    return query
      insert into hapax.operation as o (
        id, tenant, environment, subject, key_subject, flow, flow_version, key, generation, fingerprint, fingerprint_version,
        request, request_id, state, deadline)
      values (
        new_id, of_tenant, of_environment, asked_by, of_key_subject, of_flow, new_flow_version, of_key, new_generation,
        new_fingerprint, new_fingerprint_version, new_request, new_request_id, new_state,
        now() + patience_ms * interval '1 millisecond')
      on conflict do nothing
      returning true, o.id, o.environment, o.generation, o.fingerprint, o.fingerprint_version, o.state, o.request_id, o.run_id,
                o.renewable, o.deadline, o.created_at, o.flow_version, o.answer_status, o.answer_headers, o.answer_body,
                o.answer_expires_at, o.settled_at;
    if found then
      return;
    end if;
  end loop;
  raise exception 'the claim of % neither wins its name nor sees who has it', new_id;
end $$;
