import pg from 'pg';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { World } from '../support/world.ts';

/** More than PostgreSQL reads through where it can look one up. */
const orders = 20_000;

let world: World;
beforeAll(async () => {
  world = await World.create(inject('ground'), { workers: 0, doors: 0, upkeep: false });
  await world.sql(
    `insert into hapax.customer_order (id, tenant, environment, operation_id, cart_id, state, amount_minor, currency, payment_intent, paid_at)
     select 'ord_' || n, $1, 'test', 'op_' || n, 'cart-' || n, 'paid', 100, 'eur', 'pi_' || n, now() from generate_series(1, $2) n`,
    ...[world.tenants.alpha, orders],
  );
  await world.sql('analyze hapax.customer_order, hapax.money_fact');
});
afterAll(() => world.close());

it.each(['hapax_app', 'hapax_upkeep'])(
  'booking as %s looks up the orders that it is told of, and reads no others',
  async (role) => {
    const client = new pg.Client({
      connectionString: world.databaseUrl,
      options: `-c role=${role} -c track_functions=all`,
    });
    await client.connect();
    const { alpha } = world.tenants;
    await client.query(`select set_config('hapax.tenant', $1, false)`, [alpha]);
    const read = async () => {
      const { rows } = await world
        .sql(`select pg_stat_force_next_flush()`)
        .then(() =>
          client.query<{ read: string }>(
            `select coalesce(seq_tup_read, 0) as read from pg_stat_user_tables where schemaname = 'hapax' and relname = 'customer_order'`,
          ),
        );
      return Number(rows[0]?.read);
    };
    const facts = Array.from({ length: 20 }, (_, n) => ({
      ...{ object: `pi_${role}_${n}`, kind: 'captured', amount: 100, currency: 'eur', payment: `pi_${role}_${n}` },
      ...{ at: new Date(), tenant: alpha, order: `ord_${n + 1}`, operation: `op_${n + 1}`, environment: 'test' },
    }));
    await client.query('select pg_stat_force_next_flush()');
    const before = await read();
    const { rows } = await client.query('select booked from hapax.book_facts($1, $2, $3)', [
      ...['stripe', JSON.stringify(facts)],
      role === 'hapax_upkeep',
    ]);
    expect(rows).toEqual([{ booked: 20 }]);
    await client.query('select pg_stat_force_next_flush()');
    await client.query('select 1');
    expect((await read()) - before).toBeLessThan(orders);
    await client.end();
  },
);
