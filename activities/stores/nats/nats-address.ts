/** What to say where a text is none. The text itself may hold a password, and is not told. */
export const natsAddress =
  'address of NATS with JetStream, such as nats://user:password@127.0.0.1:4222 (tls:// for TLS; several servers with commas between), with #, /, ?, % and , of the password encoded';

type NatsAddress = {
  /** Without credentials. */
  readonly servers: readonly string[];
  readonly tls: boolean;
  readonly credentials: { readonly user: string; readonly pass: string } | { readonly token: string } | undefined;
};

/**
 * Reads NATS_URL, since the client takes credentials apart from the address. The first server's credentials are for all.
 * @returns undefined where the text is no address
 */
export function readNatsAddress(text: string): NatsAddress | undefined {
  const urls = text.split(',').map((one) => URL.parse(one.trim()));
  const sound = urls.filter((url) => url !== null && isServer(url)) as URL[];
  const [first] = sound;
  if (first === undefined || sound.length < urls.length) return undefined;
  try {
    return {
      servers: sound.map(({ host }) => host),
      tls: sound.some(({ protocol }) => protocol === 'tls:'),
      credentials: credentialsOf(decodeURIComponent(first.username), decodeURIComponent(first.password)),
    };
  } catch {
    return undefined;
  }
}

/** A `#`, `/` or `?` of a password that is not encoded ends the address early. */
function isServer({ protocol, hostname, pathname, search, hash }: URL): boolean {
  return /^(nats|tls):$/.test(protocol) && hostname !== '' && /^\/?$/.test(pathname) && search === '' && hash === '';
}

function credentialsOf(user: string, pass: string): NatsAddress['credentials'] {
  if (user === '' && pass === '') return undefined;
  if (user === '') throw new Error('A password needs its user');
  return pass === '' ? { token: user } : { user, pass };
}
