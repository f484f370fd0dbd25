/** What people see who open the link of a sign-up. */
type Page = {
  readonly status: 200 | 404 | 409 | 410 | 429;
  readonly title: string;
  readonly says: string;
  /** A button that sends a POST. */
  readonly button?: { readonly text: string; readonly action: string };
};

/** @param token in base64url, which needs no escaping */
export const signupPages = {
  waits: (token: string): Page => ({
    status: 200,
    title: 'Confirm your address',
    says: 'Somebody, probably you, has signed up with this address. Press the button to confirm that it is yours.',
    button: { text: 'Confirm my address', action: `/v1/signups/verify?token=${token}` },
  }),
  confirmed: (): Page => ({
    status: 200,
    title: 'Your address is confirmed',
    says: 'Your account is ready, or will be in a moment. You can close this page.',
  }),
  stale: (token: string): Page => ({
    status: 410,
    title: 'This link has expired',
    says: 'Links work for 24 hours. Have a new one sent to your address.',
    button: { text: 'Send a new mail', action: `/v1/signups/verify/resend?token=${token}` },
  }),
  over: (): Page => ({
    status: 410,
    title: 'This sign-up has ended',
    says: 'The address was not confirmed in time, or the sign-up was cancelled. The address is free: sign up again.',
  }),
  unknown: (): Page => ({
    status: 404,
    title: 'This link is not known',
    says: 'Open the link as it stands in the mail, as a whole. If it is more than a year old, it is forgotten.',
  }),
  resent: (): Page => ({
    status: 200,
    title: 'A new mail is on its way',
    says: 'Open the link in that mail, and confirm your address there.',
  }),
  tooSoon: (token: string): Page => ({
    status: 429,
    title: 'The mail was sent a moment ago',
    says: 'Look for it, also among the spam. In a few minutes you can have another one sent.',
    button: { text: 'Send a new mail', action: `/v1/signups/verify/resend?token=${token}` },
  }),
} as const;

/** Works without scripts: the button is a form. */
export function pageHtml({ title, says, button }: Page): string {
  const form =
    button === undefined
      ? ''
      : `<form method="post" action="${button.action}"><button type="submit">${button.text}</button></form>\n`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>${title}</title>
<h1>${title}</h1>
<p>${says}</p>
${form}</html>
`;
}
