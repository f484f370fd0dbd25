-- How much work the workers have in hand: admission reads it. An upload that waits for its bytes does not count.
create index operation_in_hand on hapax.operation (tenant)
  where state in ('claimed', 'running', 'indeterminate', 'compensating');

-- Counts of all tenants, which row-level security hides from hapax_app: it gets numbers and no rows.
-- What is stuck keeps no one else out: an operation that a run holds counts for 30 s after its last change, the longest that
-- a caller waits, and one that nobody has started for ten minutes, the patience of a checkout.
-- `waited` is the median age of those that nobody has started, in milliseconds: one that was lost on its way does not move it.
-- PostgreSQL plans the body when it is made, and a migration runs with row security that fails instead of hiding rows.
set local row_security = on;
create function hapax.work_in_hand() returns table (tenant text, operations integer, waited double precision)
language sql stable security definer
set search_path = hapax, pg_temp
begin atomic
  with in_hand as materialized (
    select o.tenant, case when o.state = 'claimed' then extract(epoch from now() - o.created_at) * 1000 end as waiting
    from hapax.operation o
    where o.state in ('claimed', 'running', 'indeterminate', 'compensating')
      and o.updated_at > now() - case when o.state = 'claimed' then interval '10 minutes' else interval '30 seconds' end
  )
  select i.tenant, count(*)::integer,
    coalesce((select percentile_cont(0.5) within group (order by waiting) from in_hand), 0)
  from in_hand i group by i.tenant;
end;

-- It acts as hapax_upkeep, which alone sees the rows of all tenants: the owner of the tables sees none.
grant create on schema hapax to hapax_upkeep;
alter function hapax.work_in_hand() owner to hapax_upkeep;
revoke create on schema hapax from hapax_upkeep;
revoke all on function hapax.work_in_hand() from public;
grant execute on function hapax.work_in_hand() to hapax_app;
