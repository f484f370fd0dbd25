import { JetStreamApiError } from '@nats-io/jetstream';
import { errors } from '@nats-io/transport-node';

/**
 * Why the broker does not take one message, while it takes others. `message-refused`: whatever its subject. `subject-refused`: it
 * takes none on this subject.
 */
export type PublishRefusal = { readonly code: 'message-refused' | 'subject-refused'; readonly detail: string };

/** Error codes of JetStream. The message is longer than the stream takes, or has longer headers. */
const ofTheMessage = new Set([10054, 10097]);
/** The subject belongs to another stream. */
const ofAnotherStream = 10060;
/** The stream does not store the message: it is full, or has as many messages of this subject as its owner allows. */
const notStored = 10077;

/** @returns undefined where the broker may take it later, or has said nothing of this message */
export function publishRefusal(error: unknown, stream: string, subject: string): PublishRefusal | undefined {
  if (!(error instanceof Error)) return undefined;
  const { message: said, cause } = error;
  // What is longer than the server takes at all (`max_payload`) is refused by the client.
  if (error instanceof errors.InvalidArgumentError) return { code: 'message-refused', detail: said };
  if (error instanceof JetStreamApiError) {
    if (ofTheMessage.has(error.code)) return { code: 'message-refused', detail: said };
    if (error.code === ofAnotherStream)
      return ofTheSubject(`Another stream stores ${subject}: give it to ${stream}, and replay the event.`);
    if (error.code === notStored && /per subject/.test(said))
      return ofTheSubject(`${stream} takes no more messages on ${subject}: raise its limit, and replay the event.`);
    return undefined;
  }
  if (cause instanceof errors.PermissionViolationError && cause.operation === 'publish')
    return ofTheSubject(
      `The relay may not publish on ${subject}: allow it to the relay's login, and replay the event.`,
    );
  return undefined;
}

function ofTheSubject(detail: string): PublishRefusal {
  return { code: 'subject-refused', detail };
}
