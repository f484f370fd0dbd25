-- A provider may give a fee back, as that of a dispute that was won.
alter table hapax.money_fact drop constraint money_fact_kind_check;
alter table hapax.money_fact add constraint money_fact_kind_check check (kind in (
  'captured', 'fee', 'fee_returned', 'refunded', 'refund_failed', 'disputed', 'dispute_won', 'paid_out'));
alter table hapax.money_fact alter column debit set expression as (case kind
  when 'captured' then 'receivable' when 'fee' then 'fee' when 'fee_returned' then 'receivable'
  when 'refunded' then 'refund' when 'refund_failed' then 'receivable' when 'disputed' then 'dispute'
  when 'dispute_won' then 'receivable' when 'paid_out' then 'payout' end);
alter table hapax.money_fact alter column credit set expression as (case kind
  when 'captured' then 'revenue' when 'fee_returned' then 'fee' when 'refund_failed' then 'refund'
  when 'dispute_won' then 'dispute' else 'receivable' end);
