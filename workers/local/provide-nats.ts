import { join } from 'node:path';
import { readConfig } from '../config.ts';
import { findNatsServer } from './find-nats-server.ts';
import { expectJetStream, startNats } from './nats.ts';
import { reachable, type Service } from './service.ts';
import type { Context } from './stack-context.ts';

/** The broker: a person's own, or nats-server. Where that cannot be had, events are delivered through PostgreSQL. */
export async function provideNats(context: Context): Promise<Service> {
  const { settings, keeper, say, cache } = context;
  const { NATS_URL: own, NATS_CREDENTIALS: credentials } = readConfig(['NATS_URL', 'NATS_CREDENTIALS']);
  if (own !== undefined) {
    await reachable('NATS_URL', 'the broker', () => expectJetStream(own, credentials));
    say('The broker is ready (yours, by NATS_URL)');
    return { environment: {}, addresses: { NATS: new URL(own.split(',')[0] ?? own).host } };
  }
  const binary = await findNatsServer({ chosen: settings.NATS_SERVER, path: settings.PATH, cache, say }).catch(
    (fault: Error) => {
      // Whoever chose one wants that one.
      if (settings.NATS_SERVER !== undefined) throw fault;
      say(`Events are delivered through PostgreSQL, without a broker. ${fault.message}`);
      return undefined;
    },
  );
  if (binary === undefined) return { environment: {}, addresses: {} };
  const { url } = await context.run('nats', 'services', (logFile) =>
    startNats({
      binary,
      directory: join(context.directory, 'nats'),
      port: settings.HAPAX_NATS_PORT,
      logFile,
      keeper,
    }),
  );
  say('The broker is ready');
  return { environment: { NATS_URL: url }, addresses: { NATS: url } };
}
