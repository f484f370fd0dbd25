import { ApplicationFailure, Context } from '@temporalio/activity';
import type pg from 'pg';
import type { Amount, Cart } from './cart.ts';

export type Orders = ReturnType<typeof orders>;

/** Prices, stock and orders of the plain checkout, by plain SQL over an ordinary pool. */
export function orders(pool: pg.Pool) {
  return {
    async placeOrder({ cartId, items, email }: Cart): Promise<{ orderId: string; amount: Amount }> {
      const orderId = Context.current().info.workflowExecution?.workflowId;
      return await transaction(pool, async (client) => {
        const prices = await client.query<{ sku: string; price_minor: string; currency: string }>(
          `select sku, price_minor, currency from hapax.catalogue_item
           where tenant = 'alpha' and environment = 'test' and sku = any($1)`,
          [items.map((item) => item.sku)],
        );
        const lines = items.map((item) => {
          const found = prices.rows.find((row) => row.sku === item.sku);
          if (found === undefined) throw ApplicationFailure.nonRetryable(`No such item: ${item.sku}`, 'OutOfStock');
          return { ...item, price: Number(found.price_minor), currency: found.currency };
        });
        const amount = {
          minor: lines.reduce((sum, line) => sum + line.price * line.quantity, 0),
          currency: lines[0]?.currency ?? 'eur',
        };
        const inserted = await client.query(
          `insert into plain.shop_order (id, cart_id, state, amount_minor, currency, email)
           values ($1, $2, 'pending', $3, $4, $5) on conflict (id) do nothing`,
          [orderId, cartId, amount.minor, amount.currency, email],
        );
        // A retry of an activity that had committed finds its order.
        if (inserted.rowCount === 0) return { orderId: orderId as string, amount };
        for (const line of lines) {
          await client.query(
            'insert into plain.order_line (order_id, sku, quantity, price_minor) values ($1, $2, $3, $4)',
            [orderId, line.sku, line.quantity, line.price],
          );
          // Last, since carts of other buyers wait for this row.
          const taken = await client.query(
            `update hapax.catalogue_item set stock = stock - $2
             where tenant = 'alpha' and environment = 'test' and sku = $1 and stock >= $2`,
            [line.sku, line.quantity],
          );
          if (taken.rowCount === 0) throw ApplicationFailure.nonRetryable(`Out of stock: ${line.sku}`, 'OutOfStock');
        }
        return { orderId: orderId as string, amount };
      });
    },

    async markPaid({ orderId, paymentIntent }: { orderId: string; paymentIntent: string }): Promise<void> {
      await transaction(pool, async (client) => {
        const paid = await client.query<{ email: string | null }>(
          `update plain.shop_order set state = 'paid', payment_intent = $2, paid_at = now()
           where id = $1 returning email`,
          [orderId, paymentIntent],
        );
        await client.query(
          'insert into plain.receipt (order_id, email) values ($1, $2) on conflict (order_id) do nothing',
          [orderId, paid.rows[0]?.email],
        );
      });
    },
  };
}

async function transaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const value = await work(client);
    await client.query('commit');
    return value;
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}
