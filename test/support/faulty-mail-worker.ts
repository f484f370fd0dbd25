import { z } from 'zod';
import { declareMessage } from '../../activities/delivery/declared-message.ts';
import type { Outlet, Outlets } from '../../activities/delivery/outlet.ts';
import { readConfig } from '../../workers/config.ts';
import { mailSettings, startMail } from '../../workers/mail.ts';
import { runProcess } from '../../workers/process.ts';
import { days } from '../../workflows/operation/duration.ts';
import { type Harm, harmAt } from './boundaries/harm-at.ts';

/**
 * A mail process that is killed or frozen when it reaches one boundary: HARM POINT. It knows two messages of the tests' own:
 * `test.once`, a mail that is sent at most once, and `test.text`, a text message.
 */
const [harm = 'kill', point = ''] = process.argv.slice(2);
const reach = harmAt(point, harm as Harm);

type Way = Outlets extends ReadonlyMap<unknown, infer Each> ? Each : never;

const once = declareMessage({
  type: 'test.once',
  repeats: 'at_most_once',
  patience: days(1),
  payload: z.object({ email: z.string() }),
  write: ({ email }) => ({ to: { address: email }, subject: 'Once', text: 'Once.', html: '<p>Once.</p>' }),
});
const text = declareMessage({
  type: 'test.text',
  repeats: 'at_least_once',
  patience: days(1),
  payload: z.object({ phone: z.string() }),
  write: ({ phone }) => ({ to: phone, text: 'Hello.' }),
});

const watched = (outlet: Outlet): Outlet => ({
  ...outlet,
  write(...written) {
    const send = outlet.write(...written);
    return async (handing) => {
      await send(handing);
      await reach('after-send');
    };
  },
});

const watchedWay = (way: Way): Way => (typeof way === 'function' ? (delivery) => watched(way(delivery)) : watched(way));

await runProcess('mail', () =>
  startMail(readConfig(mailSettings), {
    mails: [once],
    texts: [text],
    outlets: (own) => new Map([...own].map(([channel, outlet]) => [channel, watchedWay(outlet)] as const)),
    rows: (own) => ({
      ...own,
      async begin(delivery, by) {
        await reach('before-mark');
        const begun = await own.begin(delivery, by);
        await reach('after-mark');
        return begun;
      },
      async end(delivery, became) {
        await own.end(delivery, became);
        await reach('after-confirm');
      },
    }),
  }),
);
