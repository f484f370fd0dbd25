import { isIP } from 'node:net';
import { EndpointFault } from './endpoint-fault.ts';
import { isPublicAddress } from './public-address.ts';
import { resolveByDns } from './resolve-by-dns.ts';
import { type EndpointRules, isLoopback } from './sound-endpoint.ts';

/** An address to connect to, as `net` takes it. */
export type Address = { readonly address: string; readonly family: 4 | 6 };

/** Asks for the addresses of a name. */
export type ResolveName = (name: string) => Promise<readonly string[]>;

/**
 * Finds out where an endpoint is, once. Connect to exactly these addresses: to ask again is to let the name's owner answer otherwise
 * after the check (DNS rebinding).
 * @throws EndpointFault unless every address is public, NameUnanswered where the name cannot be looked up now
 */
export async function resolveEndpoint(
  url: URL,
  rules: EndpointRules,
  resolve: ResolveName = resolveByDns,
): Promise<readonly Address[]> {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (rules.loopback && isLoopback(url)) return (host === 'localhost' ? ['127.0.0.1', '::1'] : [host]).map(addressOf);
  const found = isIP(host) === 0 ? await resolve(host) : [host];
  // One answer for both, so that nobody learns which names our network has.
  if (found.length === 0 || !found.every(isPublicAddress))
    throw new EndpointFault('leads to no address of the Internet: give one that can be reached from everywhere');
  return found.map(addressOf);
}

function addressOf(address: string): Address {
  return { address, family: isIP(address) === 6 ? 6 : 4 };
}
