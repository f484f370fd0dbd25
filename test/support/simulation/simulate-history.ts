import { createActivities } from '../../../activities/create-activities.ts';
import { type Guard, unguarded } from '../../../activities/engine/guard.ts';
import type { Activity } from '../../../activities/engine/named-activities.ts';
import { SystemGuards } from '../../../activities/engine/system-guards.ts';
import { reconcile } from '../../../activities/reconcile/reconcile.ts';
import type { Registration } from '../../../activities/registration.ts';
import type { PaymentProvider } from '../../../activities/stores/payments/payment-provider.ts';
import type { Stores } from '../../../activities/stores.ts';
import { minutes, seconds } from '../../../workflows/operation/duration.ts';
import { historyFaults } from '../histories/history-faults.ts';
import { moneyFound } from '../histories/money-found.ts';
import { testSeals } from '../seal-keys.ts';
import { Callers } from './callers.ts';
import { Harms } from './harms.ts';
import { ProviderAccount, type Verdict } from './provider-account.ts';
import { ProviderLine } from './provider-line.ts';
import { ProviderPost } from './provider-post.ts';
import type { OneTenantsDatabase, SimulatedDatabase } from './simulated-database.ts';
import type { SimulatedHistory } from './simulated-history.ts';
import { SimulatedProvider } from './simulated-provider.ts';
import { keepUp } from './simulated-upkeep.ts';
import { SimulatedWorkflows } from './simulated-workflows.ts';
import { tellHistory } from './tell-history.ts';
import { VirtualTime } from './virtual-time.ts';

/** What the histories of a run share: they are told apart by their tenants. */
export type SimulatedGround = {
  readonly database: SimulatedDatabase;
  readonly upkeep: OneTenantsDatabase;
  /** Sees all tenants. */
  readonly reconciler: SimulatedDatabase;
  readonly registrations: readonly Registration[];
  readonly sql: <R extends object>(text: string, ...values: unknown[]) => Promise<R[]>;
};

/** Breaks the product on purpose, to see that it is found. */
export type Breaks = {
  readonly provider?: (own: PaymentProvider) => PaymentProvider;
  readonly activities?: (own: Record<string, Activity>) => Record<string, Activity>;
};

/** How a history went. Run again, it goes the same way. */
export type Course = {
  /** What is wrong at the end, a sentence each. */
  readonly faults: readonly string[];
  readonly boundaries: number;
  /** Milliseconds of virtual time. */
  readonly lasted: number;
  readonly effects: readonly string[];
};

/** Whatever goes wrong, a history is over by then. */
const longest = minutes(45);

const verdicts = {
  approves: 'approves',
  declines: 'declines',
  'asks, and the buyer confirms': 'asks',
  'asks, and the buyer does not': 'asks',
} as const satisfies Record<SimulatedHistory['money']['card'], Verdict>;

/**
 * Runs a history to its end.
 * @param tenant nobody else's
 * @param begins milliseconds since 1970; far from those of other histories, so that nothing of theirs is recent
 */
export async function simulateHistory(
  ground: SimulatedGround,
  history: SimulatedHistory,
  { tenant, begins, breaks = {} }: { readonly tenant: string; readonly begins: number; readonly breaks?: Breaks },
): Promise<Course> {
  const { database, upkeep, reconciler, registrations, sql } = ground;
  const time = new VirtualTime(tenant, begins, history.turns);
  const harms = new Harms(history.harms, (host) => workflows.forget(host));
  for (const one of [database, upkeep]) one.harm(time, harms);
  const account = new ProviderAccount(time, verdicts[history.money.card], (news) => post.send(news));
  const line = new ProviderLine(time, harms, history.money.faults);
  const sound = new SimulatedProvider(`provider of ${tenant}`, account, line, history.keys);
  const provider = breaks.provider?.(sound) ?? sound;
  const stores = {
    database,
    seals: testSeals,
    payments: { provider, sandboxed: true, returnUrl: 'https://shop.example/returned' },
  };
  const activities = createActivities(stores as unknown as Stores, registrations, new Guards(time, harms));
  const workflows = new SimulatedWorkflows(time, breaks.activities?.(activities) ?? activities);
  const callers = new Callers(time, database, workflows, tenant);
  const post = new ProviderPost(time, callers, history.news);
  const compare = (asked = {}) => reconcile({ database: reconciler, provider: sound }, asked);

  const faults: string[] = [];
  const all = time.spawn(async () => {
    let over = false;
    const upkeeping = time.spawn(() => keepUp(time, upkeep, workflows, () => over));
    const telling = time.spawn(() => tellHistory({ time, callers, account, post, sql }, history));
    const comparing = time.spawn(async () => {
      if (history.compared === undefined) return;
      await time.sleep(history.compared);
      // The provider may be away: the next comparison finds what this one has not.
      await compare().catch(() => undefined);
    });
    await time.until(() => telling.end !== undefined && comparing.end !== undefined, longest);
    const open = async () =>
      await sql<{ id: string }>(
        'select id, flow, state from hapax.operation where tenant = $1 and settled_at is null',
        tenant,
      );
    while ((await open()).length + post.underWay > 0 && time.now < begins + longest) await time.sleep(seconds(5));
    over = true;
    await time.until(() => upkeeping.end !== undefined, longest);
    for (const one of await open()) faults.push(`it is still under way: ${JSON.stringify(one)}`);
    if (telling.end === undefined) return void faults.push('somebody still waits for an answer');
    if ('error' in telling.end) throw telling.end.error;
    harms.end();
    await time.sleep(seconds(1));
    await compare({ from: new Date(0).toISOString(), late: 0 });
    const found = { ...(await moneyFound(sql, tenant)), effects: account.effects, balance: account.balance };
    if (account.held !== undefined) faults.push(`the bank holds money for ${account.held}, which nobody takes`);
    faults.push(...historyFaults(found, [telling.end.value]));
  });
  await time.run(all);
  if (all.end === undefined) faults.push('it stands still, and nothing could move it');
  else if ('error' in all.end) faults.push(`it came to no end: ${String(all.end.error)}`);
  const effects = account.effects.map(({ type, amount }) => `${type} ${amount}`);
  return { faults, boundaries: harms.passed, lasted: time.now - begins, effects };
}

/** Our own protection, as far as it can be in a step's way. */
class Guards extends SystemGuards {
  readonly #guard: Guard;

  constructor(time: VirtualTime, harms: Harms) {
    super({});
    this.#guard = async (call, make) => {
      await harms.pass(time, 'guard');
      return await unguarded(call, make);
    };
  }

  override of(): Guard {
    return this.#guard;
  }
}
