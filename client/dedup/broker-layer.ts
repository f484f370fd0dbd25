import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { OnceStream } from '../../activities/stores/nats/once-stream.ts';
import { seconds } from '../../workflows/operation/duration.ts';
import { answeredBy, held, isHeld, kept } from './entry.ts';
import { orFreeLater } from './free-later.ts';
import type { ConnectedLayer, Hold, Terms } from './layer.ts';

type BrokerLayerOptions = {
  /** Such as `nats://127.0.0.1:4222`: JetStream of NATS 2.11 or later. */
  readonly url: string;
  /** The content of a credentials file, where the broker asks for one. */
  readonly credentials?: string;
  /** As of `redisLayer`: what a holder leaves that dies while it runs. */
  readonly onCrash: 'runs-again' | 'never-again';
  /** Keeps the ids of one use apart from those of another at the same broker. */
  readonly space: string;
  /** How long a question to the broker may take. Milliseconds; by default a second, since the broker decides. */
  readonly within?: number;
};

/**
 * A stream of NATS JetStream, for a fleet that has a broker and no database. The broker's own window of message ids only says that an
 * id was there: it gives no answer, and does not free the id of a run that has thrown. So each id is a subject, which takes a message
 * only from whoever knows its last one. What was acknowledged outlives a restart of the broker, unlike in Redis.
 */
export function brokerLayer({
  url,
  credentials,
  onCrash,
  space,
  within = seconds(1),
}: BrokerLayerOptions): ConnectedLayer {
  const stream = new OnceStream({ url, credentials, within });
  const nameOf = (id: string): string => JSON.stringify([space, id]);
  const lifetimeOf = ({ lease, window }: Terms): number => (onCrash === 'runs-again' ? lease : window);

  /** Puts another text in the place of the holder's marker. A renewal of its own may have come between: then it is put after that. */
  const swap = async (id: string, hold: Hold, text: string, lifetime: number): Promise<boolean> => {
    for (;;) {
      const found = await stream.read(nameOf(id));
      if (found?.text !== held(hold)) return false;
      if ((await stream.write(nameOf(id), text, lifetime, found)) !== undefined) return true;
    }
  };
  const free = async (id: string, hold: Hold): Promise<void> => {
    for (;;) {
      const found = await stream.read(nameOf(id));
      if (found?.text !== held(hold)) return;
      await stream.remove(found);
    }
  };

  return {
    place: [space],
    afterCrash: onCrash,
    look: async (id) => answeredBy(nameOf(id), (await stream.read(nameOf(id)))?.text),
    async copy(id, answer, left) {
      const name = nameOf(id);
      await stream.write(name, kept(name, answer, left), left, await stream.read(name));
    },
    async claim(id, terms) {
      for (;;) {
        const found = await stream.read(nameOf(id));
        const answered = answeredBy(nameOf(id), found?.text);
        if (answered !== undefined) return answered;
        if (isHeld(found?.text)) return { kind: 'taken' };
        const hold = { token: randomUUID() };
        const written = stream.write(nameOf(id), held(hold), lifetimeOf(terms), found);
        const fence = await orFreeLater(written, id, hold, free);
        if (fence !== undefined) return { kind: 'ours', hold: { ...hold, fence: String(fence) } };
      }
    },
    renew: (id, hold, terms) => swap(id, hold, held(hold), lifetimeOf(terms)),
    settle: (id, hold, answer, window) => swap(id, hold, kept(nameOf(id), answer, window), window),
    release: (id, hold) => orFreeLater(free(id, hold), id, hold, free),
    changed: (_id, atMost) => pause(atMost),
    close: () => stream.close(),
  };
}
