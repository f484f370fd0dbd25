import type { IncomingHttpHeaders } from 'node:http';
import type { ClientClass } from '../../gateway/call.ts';

/** No other words are kept, so that nobody is recognised by them. */
export const clientWords = {
  browser: ['chrome', 'edge', 'firefox', 'safari', 'opera', 'samsung'],
  device: ['desktop', 'mobile', 'tablet', 'server'],
  network: ['wifi', 'ethernet', 'cellular', 'slow-2g', '2g', '3g', '4g', '5g'],
} as const;

const brands: Readonly<Record<string, string>> = {
  'Google Chrome': 'chrome',
  'Microsoft Edge': 'edge',
  Opera: 'opera',
  'Samsung Internet': 'samsung',
};

/**
 * What kind of client asks, by its own words: `Hapax-Client: browser=firefox, device=mobile, network=4g`, or else by the
 * client hints that browsers send. What neither says is `unknown`; a word that is not ours is `other`.
 */
export function clientClass(headers: IncomingHttpHeaders): ClientClass {
  const said = Object.fromEntries(
    String(headers['hapax-client'] ?? '')
      .slice(0, 200)
      .split(',')
      .map((member) => member.trim().split('=')),
  ) as Record<string, string | undefined>;
  const { browser = brandOf(headers['sec-ch-ua']), device = deviceOf(headers['sec-ch-ua-mobile']) } = said;
  const { network = headers.ect } = said;
  return {
    browser: word('browser', browser),
    device: word('device', device),
    network: word('network', network),
  };
}

function word(kind: keyof typeof clientWords, said: string | string[] | undefined): string {
  if (said === undefined) return 'unknown';
  const known: readonly string[] = clientWords[kind];
  const plain = String(said).toLowerCase();
  return known.includes(plain) ? plain : 'other';
}

/** `"Chromium";v="130", "Google Chrome";v="130", "Not?A_Brand";v="99"` */
function brandOf(hint: string | string[] | undefined): string | undefined {
  if (hint === undefined) return undefined;
  const named = [
    ...String(hint)
      .slice(0, 500)
      .matchAll(/"([^"]{1,50})"\s*;\s*v=/g),
  ].map(([, name = '']) => brands[name]);
  return named.find((brand) => brand !== undefined) ?? 'other';
}

function deviceOf(mobile: string | string[] | undefined): string | undefined {
  if (mobile === undefined) return undefined;
  return mobile === '?1' ? 'mobile' : 'desktop';
}
