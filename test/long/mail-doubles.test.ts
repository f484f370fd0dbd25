import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { expect, inject, it } from 'vitest';
import { messageId } from '../../workflows/operation/key.ts';
import { databaseNamed, dropDatabase } from '../support/database-named.ts';
import { MailCatcher } from '../support/mail-catcher.ts';
import { ProcessHandle } from '../support/process-handle.ts';
import { sealKeys } from '../support/seal-keys.ts';

/** How often a sender that is busy is killed. A kill takes about a second. */
const kills = Number(process.env.HAPAX_MAIL_KILLS ?? 1_000);
/** More than a sender sends before it is killed, so that it always has some under way. */
const backlog = 400;
/** A sender is killed in its midst: up to this long after its first mail has arrived. Milliseconds. */
const longestLife = 100;

const operation = `op_${'0'.repeat(26)}`;

it(`no mail is lost by ${kills} kills of a sender under full load, and the doubles are counted`, async (context) => {
  const { postgresUrl, template, root } = inject('ground');
  const name = `doubles${randomBytes(4).toString('hex')}`;
  const url = await databaseNamed(postgresUrl, name, template);
  const sql = new pg.Pool({ connectionString: url, max: 2 });
  const catcher = await MailCatcher.start();
  context.onTestFinished(async () => {
    await catcher.goAway();
    await sql.end();
    await dropDatabase(postgresUrl, name);
  });
  await sql.query(
    `insert into hapax.operation (
       id, tenant, environment, subject, key_subject, flow, flow_version, key, generation, fingerprint, fingerprint_version, request,
       request_id, state)
     values ($1, 'alpha', 'test', 'ann', 'ann', 'checkout', 1, 'k', 1, 'f', 1, '{}', 'req_1', 'claimed')`,
    [operation],
  );
  let told = 0;
  const topUp = async (): Promise<void> => {
    // The sender that had them is dead: nobody waits for the end of its lease.
    await sql.query(`update hapax.delivery set next_at = now() where state in ('due', 'sending')`);
    const { rows } = await sql.query<{ open: number }>(
      `select count(*)::integer as open from hapax.delivery where state in ('due', 'sending')`,
    );
    const ids = Array.from({ length: backlog - (rows[0]?.open ?? 0) }, () =>
      messageId(operation, `mail ${(told += 1)}`),
    );
    await sql.query(
      `select hapax.tell(id, $1, 'mail', 'order', id, 'receipt.requested',
         '{"order": "ord_1", "amount": 1250, "currency": "eur", "email": "ann@example.com"}') from unnest($2::text[]) as id`,
      [operation, ids],
    );
  };
  const started = () =>
    ProcessHandle.start('workers/mail.ts', {
      env: {
        ...{ DATABASE_URL: url, SMTP_URL: catcher.url, MAIL_FROM: 'shop@hapax.test', HAPAX_LOG_LEVEL: 'error' },
        HAPAX_SEAL_KEYS: sealKeys,
      },
      logFile: join(root, `${name}.log`),
    });
  for (let n = 0; n < kills; n += 1) {
    await topUp();
    const sender = await started();
    const before = catcher.mails.length;
    while (catcher.mails.length === before) await pause(1);
    await pause(Math.random() * longestLife);
    await sender.kill();
  }
  await sql.query(`update hapax.delivery set next_at = now() where state in ('due', 'sending')`);
  const last = await started();
  for (;;) {
    const { rows } = await sql.query(`select state, count(*)::integer as count from hapax.delivery group by 1`);
    if (rows.length === 1 && rows[0]?.state === 'sent') break;
    await pause(100);
  }
  await last.stop();
  const arrivals = new Map<string, number>();
  for (const { id } of catcher.mails) arrivals.set(id, (arrivals.get(id) ?? 0) + 1);
  expect(arrivals.size).toBe(told);
  const doubles = catcher.mails.length - told;
  console.log(`${kills} kills, ${told} mails, ${doubles} arrived once more: ${doubles / kills} for a kill`);
  // Eight are under way at once, and nothing else can be doubled.
  expect(doubles).toBeLessThanOrEqual(8 * kills);
}, 3_600_000);
