-- An account goes with the data of its subject, and its address is free again.
set local row_security = on;
create function hapax.erase_account(of_operation text) returns void language sql as $$
  delete from hapax.account_address d using hapax.account a where a.operation_id = of_operation and d.account_id = a.id;
  update hapax.account set state = 'erased', email = null, name = null, password = null where operation_id = of_operation;
  delete from hapax.signup_mail where operation_id = of_operation;
  delete from hapax.signup where operation_id = of_operation;
$$;
comment on function hapax.erase_account is 'Erases the account of a sign-up.';

create function hapax.erase_account_with_signup() returns trigger language plpgsql as $$
begin
  perform hapax.erase_account(new.id);
  return null;
end $$;
comment on function hapax.erase_account_with_signup is 'Erases the account of a sign-up whose data are erased.';
create trigger account_is_erased_with_its_signup after update of fingerprint_version on hapax.operation
  for each row when (new.flow = 'signup' and new.fingerprint_version = 0 and old.fingerprint_version <> 0)
  execute function hapax.erase_account_with_signup();

-- An account outlives the row of its sign-up.
create function hapax.erase_old_accounts() returns trigger language plpgsql as $$
begin
  perform hapax.erase_account(a.operation_id) from hapax.account a
  where a.tenant = new.tenant and a.environment = new.environment and a.subject = new.subject and a.state <> 'erased'
    and not exists (select from hapax.operation o where o.id = a.operation_id);
  return null;
end $$;
create trigger old_accounts_are_erased after insert on hapax.erasure
  for each row execute function hapax.erase_old_accounts();
comment on function hapax.erase_old_accounts is 'Erases the accounts of a subject whose sign-ups are forgotten.';
create index account_of_subject on hapax.account (tenant, environment, subject);
