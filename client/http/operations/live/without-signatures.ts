/** AWS Signature Version 4 signs an address in its query, with the time at which it was signed. */
const signedQuery = /\?[^"]*X-Amz-Signature=[^"]*/g;

/** What JSON says, without the signatures of its addresses: those are others in each answer, and no news. */
export function withoutSignatures(json: string): string {
  return json.replace(signedQuery, '');
}
