type Hints = {
  readonly userAgent: string;
  readonly userAgentData?: { readonly mobile: boolean };
  readonly connection?: { readonly effectiveType?: string };
};

/** The first that fits: others name themselves like Chrome, and Chrome like Safari. */
const browsers = [
  ['edge', /\bEdg/],
  ['opera', /\bOPR\//],
  ['samsung', /\bSamsungBrowser\//],
  ['firefox', /\b(Firefox|FxiOS)\//],
  ['chrome', /\b(Chrome|CriOS)\//],
  ['safari', /\bSafari\//],
] as const;

/** What kind of client this is, as the header `Hapax-Client` says it: a few words by which nobody is recognised. */
export function thisClient(hints: Hints = navigator as Hints): string {
  const { userAgent, userAgentData, connection } = hints;
  const browser = browsers.find(([, sign]) => sign.test(userAgent))?.[0] ?? 'other';
  const mobile = userAgentData?.mobile ?? /Mobi/.test(userAgent);
  const device = /iPad|Tablet/.test(userAgent) ? 'tablet' : mobile ? 'mobile' : 'desktop';
  const network = connection?.effectiveType;
  return `browser=${browser}, device=${device}${network === undefined ? '' : `, network=${network}`}`;
}
