import { Webhook } from 'standardwebhooks';

/** Two sign after a rotation; a third one only where somebody rotates twice within a day. */
const mostSignatures = 5;

/**
 * The headers of Standard Webhooks.
 * @param id of the message, the same at each try
 * @param secrets those that sign, the newest first; the receiver knows one of them
 */
export function webhookHeaders(
  id: string,
  at: Date,
  body: string,
  secrets: readonly string[],
): Readonly<Record<string, string>> {
  return {
    'webhook-id': id,
    // Whole seconds. A receiver refuses what is older than five minutes, so that nobody can send it again later.
    'webhook-timestamp': `${Math.floor(at.getTime() / 1_000)}`,
    'webhook-signature': secrets
      .slice(0, mostSignatures)
      .map((secret) => new Webhook(secret).sign(id, at, body))
      .join(' '),
  };
}
