-- A broker that refuses an event now may have got it in an earlier try, whose answer was lost. So a refusal keeps when it was first
-- tried: once it is replayed, the relay looks for it before it publishes it again.
create or replace function hapax.refuse_publication(of_shard smallint, held bigint, of_id text, why text, said text)
returns boolean language plpgsql as $$
begin
  perform from hapax.relay_shard s where s.shard = of_shard and s.fence = held for update;
  if not found then
    return false;
  end if;
  update hapax.publication p
  set state = 'failed', code = why, detail = said, tries = p.tries + 1, changed_at = clock_timestamp()
  where p.message_id = of_id and p.state = 'due';
  return true;
end $$;
comment on function hapax.refuse_publication is
  'Records that the broker refuses an event. The later ones of its aggregate wait behind it.';
