import fc from 'fast-check';
import { expect, inject, test } from 'vitest';
import { Simulation } from '../support/simulation/simulate-histories.ts';
import { simulatedHistory } from '../support/simulation/simulated-history.ts';

const { HAPAX_HISTORY_SEED, HAPAX_HISTORY } = process.env;
const seed = Number(HAPAX_HISTORY_SEED ?? Date.now() % 1_000_000);
const only = HAPAX_HISTORY === undefined ? undefined : Number(HAPAX_HISTORY);
const count = 200;

test(`${count} simulated histories of orders end with money that adds up, in virtual time (seed ${seed})`, async ({
  onTestFinished,
}) => {
  const simulation = await Simulation.create(inject('ground'));
  onTestFinished(() => simulation.close());
  expect(await simulation.run({ seed, count, only })).toEqual([]);
}, 300_000);

test(`a simulated history takes the same course each time (seed ${seed})`, async ({ onTestFinished }) => {
  const simulation = await Simulation.create(inject('ground'));
  onTestFinished(() => simulation.close());
  for (const history of fc.sample(simulatedHistory, { seed, numRuns: 20 }))
    expect(await simulation.course(history), JSON.stringify(history)).toEqual(await simulation.course(history));
}, 150_000);

test('a simulated history has its own time in PostgreSQL too: in statements, functions and defaults', async ({
  onTestFinished,
}) => {
  const simulation = await Simulation.create(inject('ground'));
  onTestFinished(() => simulation.close());
  for (const history of fc.sample(simulatedHistory, { seed, numRuns: 5 })) await simulation.course(history);
  const real = await simulation.sql(
    `select 'operation' as found from hapax.operation where least(created_at, updated_at, settled_at, answer_expires_at) < '2030-01-01'
     union all select 'step' from hapax.step where least(sent_at, ended_at) < '2030-01-01'
     union all select 'order' from hapax.customer_order where least(created_at, paid_at, cancelled_at) < '2030-01-01'
     union all select 'fact' from hapax.money_fact where least(recorded_at, confirmed_at, happened_at) < '2030-01-01'`,
  );
  expect(real).toEqual([]);
});
