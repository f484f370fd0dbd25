import ipaddr from 'ipaddr.js';

/** All that is routed on the Internet by IPv6 (RFC 4291, 2.4). NAT64, mapped IPv4, local and multicast addresses lie outside. */
const routed = ipaddr.parseCIDR('2000::/3');
/**
 * Whether an address is one of the Internet. Anything else is inside somebody's network, such as the metadata service of a cloud at
 * 169.254.169.254, or stands for nothing.
 * @param text as a resolver or a URL has it, without brackets
 */
export function isPublicAddress(text: string): boolean {
  // IPv4 in any form but four decimal numbers is read in several ways.
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text).range() === 'unicast';
  if (text.includes('%') || !ipaddr.IPv6.isValid(text)) return false;
  const address = ipaddr.IPv6.parse(text);
  // Inside of it the library knows what wraps IPv4 (6to4, Teredo) or stands for nothing, such as addresses of documents.
  return address.match(routed) && address.range() === 'unicast';
}
