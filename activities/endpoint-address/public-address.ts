import ipaddr from 'ipaddr.js';

/** All that is routed on the Internet by IPv6 (RFC 4291, 2.4). NAT64, mapped IPv4, local and multicast addresses lie outside. */
const routed = ipaddr.parseCIDR('2000::/3');
/**
 * What lies inside and leads elsewhere: protocols of the IETF with Teredo and ORCHID (RFC 2928), documentation (RFC 3849, RFC 9637),
 * and 6to4, which wraps any IPv4 address (RFC 3056).
 */
const wrapped = ['2001::/23', '2001:db8::/32', '3fff::/20', '2002::/16'].map((range) => ipaddr.parseCIDR(range));

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
  if (address.range() !== 'unicast') return false;
  return address.match(routed) && !wrapped.some((range) => address.match(range));
}
