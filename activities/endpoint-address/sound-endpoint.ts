import { EndpointFault } from './endpoint-fault.ts';

/** What a deployment allows. */
export type EndpointRules = {
  /** Whether webhooks may go to this machine, by http too. For a local stack: a receiver there can be any service of ours. */
  readonly loopback: boolean;
};

/** Longer addresses are cut by proxies. Characters. */
const longestUrl = 2_000;
const loopbacks: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Whether a host is this machine by its very name. A public name that leads here is another matter: its owner may be anybody. */
export function isLoopback({ hostname }: URL): boolean {
  return loopbacks.has(hostname);
}

/**
 * The address of an endpoint, as it is called. Where its name leads is found out by `resolveEndpoint`.
 * @throws EndpointFault
 */
export function soundEndpoint(text: string, rules: EndpointRules): URL {
  const url = URL.parse(text);
  if (url === null) throw new EndpointFault('is no address: give one such as https://shop.example.com/webhooks');
  const local = rules.loopback && isLoopback(url);
  if (url.protocol !== 'https:' && !(local && url.protocol === 'http:'))
    throw new EndpointFault('must begin with https://: otherwise anyone on the way could read the events');
  if (url.username !== '' || url.password !== '')
    throw new EndpointFault('holds a user or a password: verify the signature instead, which proves who sends');
  if (text.includes('#'))
    throw new EndpointFault('has a fragment, which is never sent: leave out the # and what follows');
  if (url.href.length > longestUrl) throw new EndpointFault(`has more than ${longestUrl} characters`);
  return url;
}
