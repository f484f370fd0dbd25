import { describe, expect, it } from 'vitest';
import { createSweeps } from '../../activities/create-sweeps.ts';
import type { Registration } from '../../activities/registration.ts';
import { registrations } from '../../workers/registrations.ts';
import { checkoutFlow } from '../../workflows/checkout.flow.ts';
import { flows } from '../../workflows/flows.ts';
import { uploadFlow } from '../../workflows/upload.flow.ts';

const stores = { database: {}, objects: {} } as never;
const demo = { ...checkoutFlow, name: 'demo' };

describe('what a flow brings', () => {
  it('is found for each flow of the list, in the file of its name', async () => {
    expect((await registrations()).map(({ flow }) => flow)).toEqual(flows);
  });

  it('is missed before anything starts, in one sentence with the file and the mend', async () => {
    await expect(registrations([demo])).rejects.toThrow(
      'Flow demo has no activities: make activities/demo.ts, which exports its `registration`.',
    );
    await expect(registrations([demo], async () => ({}))).rejects.toThrow(
      'activities/demo.ts exports no `registration`: export what flow demo brings under that name.',
    );
    await expect(registrations([demo], async () => ({ registration: { flow: checkoutFlow } }))).rejects.toThrow(
      'activities/demo.ts registers flow checkout: let it register demo.',
    );
    const broken = new Error('Cannot find module activities/other.ts');
    await expect(registrations([demo], () => Promise.reject(broken))).rejects.toBe(broken);
  });

  it('has a sweep where its declaration asks for one, and only there', () => {
    const registered = (flow: Registration['flow'], sweep?: Registration['sweep']) => () =>
      createSweeps(stores, [{ flow, ...(sweep === undefined ? {} : { sweep }) }]);
    expect(registered(uploadFlow)).toThrow(
      'Flow upload declares `sweepAfter` and has no sweep: add `sweep` to the registration in activities/upload.ts.',
    );
    expect(registered(checkoutFlow, async () => ({ objects: 0, bytes: 0 }))).toThrow(
      /^Flow checkout has a sweep that nothing asks for/,
    );
    expect(Object.keys(registered(uploadFlow, async () => ({ objects: 0, bytes: 0 }))())).toEqual(['upload']);
    expect(registered(checkoutFlow)()).toEqual({});
  });
});
