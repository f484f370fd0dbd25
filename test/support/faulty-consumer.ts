import type { Delivery } from '../../activities/stores/message-source.ts';
import { readConfig } from '../../workers/config.ts';
import { consumerSettings, startConsumer } from '../../workers/consumer.ts';
import { runProcess } from '../../workers/process.ts';
import { seconds } from '../../workflows/operation/duration.ts';
import { type Harm, harmAt } from './boundaries/harm-at.ts';
import { ownConsumers } from './consumers/own-consumers.ts';

/**
 * A consumer process with the tests' own consumers, which is killed or frozen when it reaches one boundary: HARM POINT.
 * `before-commit` is in an effect, `before-ack` behind the commit, and `after-ack` behind the first acknowledgement. With
 * `early-ack` for HARM it acknowledges before it commits, as it must not.
 */
const [harm = 'kill', point = ''] = process.argv.slice(2);
const early = harm === 'early-ack';
const reach = harmAt(point, early ? 'kill' : (harm as Harm));

const watched = (delivery: Delivery): Delivery => {
  if (early) delivery.ack();
  return {
    ...delivery,
    ack() {
      void reach('before-ack');
      if (!early) delivery.ack();
      void reach('after-ack');
    },
  };
};

await runProcess('consumer', () =>
  startConsumer(readConfig(consumerSettings), {
    consumers: Object.values(ownConsumers(async () => await reach('before-commit'))),
    source: (own) => ({
      called: own.called,
      redeliversFor: () => own.redeliversFor(),
      take: async (atMost, signal) => (await own.take(atMost, signal)).map(watched),
      lag: () => own.lag(),
      close: () => own.close(),
    }),
    // What a killed process had is delivered again so soon.
    ackWait: seconds(2),
  }),
);
