import { z } from 'zod';
import { type Money, money } from '../../../activities/orders.ts';
import type { StatementStep } from '../../../activities/engine/statement-step.ts';
import type { Statement } from '../../../activities/stores/postgres/database.ts';

type SeatSteps = {
  hold: { input: { readonly seat: string }; result: { readonly amount: Money } };
  confirm: { input: null; result: null };
};

/** The table that a world needs for bookings. A seat keeps a list of its changes, so that tests can count them. */
export const seatTable = `
create schema booking;
create table booking.seat (
  tenant       text not null,
  name         text not null,
  price_minor  bigint not null default 4200,
  state        text not null default 'free' check (state in ('free', 'held', 'sold')),
  operation_id text,
  changes      text[] not null default '{}',
  primary key (tenant, name)
);
alter table booking.seat enable row level security;
create policy tenant_only on booking.seat to hapax_app using (tenant = hapax.current_tenant());
grant usage on schema booking to hapax_app;
grant select, insert, update on booking.seat to hapax_app;`;

const held = `
with held as (
  insert into booking.seat as seat (tenant, name, state, operation_id, changes) values ($1, $2, 'held', $3, '{held}')
  on conflict (tenant, name) do update set state = 'held', operation_id = $3, changes = seat.changes || '{held}'
  where seat.state = 'free'
  returning price_minor
)
select step_done($3, $4, jsonb_build_object('amount', jsonb_build_object('minor', price_minor, 'currency', 'usd'))) as done
from held`;

const freed = `
update booking.seat set state = 'free', operation_id = null, changes = changes || '{freed}'
where operation_id = $1 and state = 'held'`;

const sold = `
with sold as (
  update booking.seat set state = 'sold', changes = changes || '{sold}' where operation_id = $1 and state = 'held'
  returning name
)
select step_done($1, $2, null) as done from sold`;

export const hold: StatementStep<SeatSteps['hold']['input'], SeatSteps['hold']['result']> = {
  effect: ({ seat }, { tenant, operation, step }) => statement('hold_seat', held, tenant, seat, operation, step),
  result: z.object({ amount: money }),
  refusal: (_row, { seat }) => ({ code: 'seat-taken', detail: `Seat ${seat} is taken.` }),
  async undo(tx, { operation }) {
    await tx.run(statement('free_seat', freed, operation));
  },
};

export const confirm: StatementStep<SeatSteps['confirm']['input'], null> = {
  effect: (_input, { operation, step }) => statement('sell_seat', sold, operation, step),
  result: z.null(),
  refusal(_row, _input, { operation }) {
    throw new Error(`The seat of ${operation} is not held: it cannot be sold`);
  },
};

function statement(name: string, text: string, ...values: readonly unknown[]): Statement {
  return { name, text, values };
}
