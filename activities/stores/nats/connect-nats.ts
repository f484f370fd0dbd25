import { connect, credsAuthenticator, type NatsConnection } from '@nats-io/transport-node';
import { seconds } from '../../../workflows/operation/duration.ts';
import { natsAddress, readNatsAddress } from './nats-address.ts';

/** A broker in the same region answers in milliseconds; one that does not in two seconds is away. */
const answersWithin = seconds(2);
/** How often a broker that is away is asked for. */
const askEvery = seconds(1);

type NatsOptions = {
  /** Who connects, for the broker's monitoring. */
  readonly name: string;
  /** The content of a credentials file, as `nsc` makes it. */
  readonly credentials?: string | undefined;
  /** Whether to ask until the broker answers, now and after each loss of the connection. Otherwise it is asked once. */
  readonly persists: boolean;
};

/** @throws where it asks once, why nothing there can be used */
export async function connectNats(url: string, { name, credentials, persists }: NatsOptions): Promise<NatsConnection> {
  const address = readNatsAddress(url);
  if (address === undefined) throw new Error(`give the ${natsAddress}`);
  return await connect({
    name,
    servers: [...address.servers],
    timeout: answersWithin,
    ...address.credentials,
    ...(credentials === undefined ? {} : { authenticator: credsAuthenticator(new TextEncoder().encode(credentials)) }),
    ...(address.tls ? { tls: {} } : {}),
    ...(persists
      ? { waitOnFirstConnect: true, maxReconnectAttempts: -1, reconnectTimeWait: askEvery, ignoreAuthErrorAbort: true }
      : { reconnect: false }),
  });
}
