-- Two facts that were one: `no_return` says that cancel and patience come too late, `irreversible` that nothing can take the
-- step's effect back. A refusal behind the first is undone (a captured payment is refunded); behind the second nothing is.
alter table hapax.step add column irreversible boolean not null default false;
alter table hapax.step add constraint step_irreversible_is_of_no_return check (no_return or not irreversible);
