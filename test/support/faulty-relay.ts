import { readConfig } from '../../workers/config.ts';
import { runProcess } from '../../workers/process.ts';
import { relaySettings, startRelay } from '../../workers/relay.ts';
import { type Harm, harmAt } from './boundaries/harm-at.ts';

/** A relay that is killed or frozen when it reaches one boundary: HARM POINT. */
const [harm = 'kill', point = ''] = process.argv.slice(2);
const reach = harmAt(point, harm as Harm);

await runProcess('relay', () =>
  startRelay(readConfig(relaySettings), {
    broker: (own) => ({
      called: own.called,
      prove: () => own.prove(),
      newestOf: (subject) => own.newestOf(subject),
      async publish(...message) {
        await reach('before-publish');
        const became = await own.publish(...message);
        await reach('after-publish');
        return became;
      },
    }),
    rows: (own) => ({
      ...own,
      async record(shard, ids) {
        const recorded = await own.record(shard, ids);
        await reach('after-record');
        return recorded;
      },
    }),
  }),
);
