import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
import type { Caller } from '../../client/http/callers/caller.ts';
import { StateStreams } from '../../client/http/operations/live/state-streams.ts';

const ann: Caller = { tenant: 'alpha', environment: 'test', subject: 'ann', role: 'caller' };
const bob: Caller = { ...ann, subject: 'bob' };

function opened(streams: StateStreams, caller: Caller) {
  streams.expectRoom(caller);
  const to = new Writable({ write: (_chunk, _encoding, done) => done() });
  const ended = streams.run(caller, {
    ...{ to, last: undefined },
    version: async () => 2,
    look: async () => ({ data: 'running', says: 'running', settled: false, incomplete: false }),
    watch: () => () => undefined,
  });
  return { to, ended };
}

const refused = (streams: StateStreams, caller: Caller) => {
  try {
    streams.expectRoom(caller);
  } catch (error) {
    return (error as { refusal: { code: string; more: unknown } }).refusal;
  }
  return undefined;
};

it('a caller has so many streams and no more, whatever others have, and gets room when one ends', async () => {
  const streams = new StateStreams({ caller: 2, process: 10 });
  const first = opened(streams, ann);
  opened(streams, ann);
  expect(refused(streams, ann)).toMatchObject({ code: 'too-many-requests', more: { retryAfter: 5 } });
  // The same name at another tenant, or in the other environment, is somebody else.
  for (const other of [bob, { ...ann, tenant: 'beta' }, { ...ann, environment: 'live' as const }])
    expect(refused(streams, other)).toBeUndefined();
  first.to.destroy();
  await first.ended;
  expect(refused(streams, ann)).toBeUndefined();
  streams.stop();
});

it('a process has so many streams and no more', async () => {
  const streams = new StateStreams({ caller: 2, process: 2 });
  const first = opened(streams, ann);
  opened(streams, bob);
  expect(refused(streams, { ...ann, subject: 'cid' })).toMatchObject({ code: 'overloaded', more: { retryAfter: 5 } });
  first.to.destroy();
  await first.ended;
  expect([refused(streams, { ...ann, subject: 'cid' }), streams.open]).toEqual([undefined, 1]);
  streams.stop();
});

it('a process that stops ends all streams at once, and opens none', async () => {
  const streams = new StateStreams();
  const open = [ann, ann, bob].map((caller) => opened(streams, caller));
  await new Promise((resolve) => setImmediate(resolve));
  streams.stop();
  await Promise.all(open.map(({ ended }) => ended));
  expect(open.map(({ to }) => to.writableFinished)).toEqual([true, true, true]);
  expect([streams.open, refused(streams, ann)?.code]).toEqual([0, 'overloaded']);
});
