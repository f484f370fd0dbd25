import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { SystemGuards } from '../../activities/engine/system-guards.ts';
import { systems } from '../../activities/outside/systems.ts';
import { createActivities } from '../../activities/create-activities.ts';
import { createMediaActivities } from '../../activities/create-media-activities.ts';
import { registrations } from '../../workers/registrations.ts';
import { toldFlows } from '../../workflows/engine/told-flows.ts';
import { flows, operations } from '../../workflows/flows.ts';
import { activityName, undoActivityName } from '../../workflows/operation/call.ts';
import { days, hours, minutes } from '../../workflows/operation/duration.ts';
import { newKey } from '../../workflows/operation/failures.ts';
import { type AnyFlow, defineFlow } from '../../workflows/operation/flow.ts';
import { isIrreversible, isUncancellable, type StepDeclaration } from '../../workflows/operation/step-declaration.ts';

const step: StepDeclaration = {
  effect: 'transaction',
  says: 'Doing it',
  undo: 'nothing',
  refusable: true,
};

function declared(changes: Partial<AnyFlow> = {}): AnyFlow {
  return defineFlow({
    name: 'demo',
    version: 1,
    title: 'A demonstration',
    route: 'demos',
    request: z.strictObject({ what: z.string() }),
    result: z.object({}),
    intent: ['what'],
    keyScope: 'subject',
    answers: 'outcome',
    workflow: 'tells',
    refusals: [],
    renewsAfter: [],
    patience: minutes(1),
    undoPatience: hours(1),
    personAfter: minutes(1),
    retryHorizon: days(1),
    retention: { response: days(30), tombstone: days(400), because: 'a test' },
    steps: { one: step },
    ...changes,
  } as AnyFlow);
}

describe('a declaration of a flow', () => {
  it('stands as it was given', () => {
    expect(declared().name).toBe('demo');
  });

  it.each(['', 'Demo', '1demo', 'de mo', 'de-mo', 'de/mo', 'd'.repeat(32)])(
    'is refused with the name %j, which stands in keys and ids',
    (name) => {
      expect(() => declared({ name })).toThrow(/Flow name/);
    },
  );

  it('is refused with a code that no failure table has, or that has another row there already', () => {
    const row = { status: 409, title: 'It is full', ...newKey };
    expect(() => declared({ refusals: ['demo-full' as 'page-full'] })).toThrow(
      /refuses with demo-full.*add a row to its `failures`/,
    );
    expect(declared({ refusals: ['demo-full' as 'page-full'], failures: { 'demo-full': row } }).refusals).toHaveLength(
      1,
    );
    expect(declared({ failures: { 'demo-full': { ...row } } }).name).toBe('demo');
    for (const code of ['demo-full', 'not-found', 'out-of-stock'])
      expect(() => declared({ failures: { [code]: { ...row, status: 410 } } })).toThrow(/has two rows/);
  });

  it('is refused without an intent: all its requests would look alike', () => {
    expect(() => declared({ intent: [] })).toThrow(/no intent/);
  });

  it.each(['One', 'on-e', 'o ne', 'one:two'])(
    'is refused with a step %j, whose name stands in keys at providers',
    (name) => {
      expect(() => declared({ steps: { [name]: step } })).toThrow(/Step name/);
    },
  );
});

describe('the list of flows', () => {
  it('is refused where a flow is there twice, or two share a route', () => {
    const [one, other] = operations;
    if (one === undefined || other === undefined) throw new Error('There are two flows');
    expect(() => toldFlows(one, other, one)).toThrow(`Flow ${one.flow.name} is listed twice`);
    const sharing = { ...other, flow: { ...other.flow, route: one.flow.route ?? expect.unreachable() } };
    expect(() => toldFlows(one, sharing)).toThrow(`share the route /v1/${one.flow.route}: give one of them another`);
  });
});

describe.each(flows.map((flow) => [flow.name, flow] as const))('the flow %s', (name, flow) => {
  it('takes a closed request, and only fields of it as its intent', () => {
    expect(
      flow.request.safeParse({ unheardOf: 1 }).error?.issues.some(({ code }) => code === 'unrecognized_keys'),
    ).toBe(true);
    for (const field of flow.intent) expect(Object.keys(flow.request.shape)).toContain(field);
  });

  it('is the only one of its name and route', () => {
    expect(flows.filter((one) => one.name === name)).toHaveLength(1);
    if (flow.route !== undefined) expect(flows.filter(({ route }) => route === flow.route)).toHaveLength(1);
  });

  it.runIf(flow.workflow === 'tells')('has histories of its story to replay', async () => {
    const histories = await readdir(new URL('../replay/histories/', import.meta.url));
    expect(histories.filter((file) => file.startsWith(`${name}-`))).not.toEqual([]);
  });

  it('has a way back from each step before its point of no return', () => {
    const steps = Object.values(flow.steps);
    const point = steps.findIndex(isUncancellable);
    expect(steps.slice(0, Math.max(point, 0)).filter(isIrreversible)).toEqual([]);
  });

  it('says to people what each of its steps does', () => {
    for (const { says } of Object.values(flow.steps)) expect(says).toMatch(/^[A-Z][a-z].{5,}/);
  });

  it.runIf(flow.workflow === 'tells')(
    'declares of each step how it happens once and how it is undone, and has the activities for that',
    async () => {
      const expected: string[] = [];
      for (const [step, { effect, undo }] of Object.entries(flow.steps)) {
        expect(['natural', 'keyed', 'transaction', 'await']).toContain(effect);
        expected.push(activityName(name, step));
        if (undo === 'own') expected.push(undoActivityName(name, step));
      }
      const stores = { payments: { provider: {} } } as never;
      const brought = await registrations();
      const made = Object.keys({
        ...createActivities(stores, brought, new SystemGuards(systems)),
        ...(await createMediaActivities(stores, brought)),
      });
      expect(made.filter((one) => one.startsWith(`${name}.`)).toSorted()).toEqual(expected.toSorted());
    },
  );
});
