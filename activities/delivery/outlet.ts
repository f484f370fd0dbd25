import { z } from 'zod';
import type { RetrySchedule } from '../../workflows/operation/retry-schedule.ts';
import type { Guard } from '../engine/guard.ts';
import type { Seals } from '../seal/seals.ts';
import { Refused } from '../stores/outcomes/refused.ts';
import type { Channel, Delivery, Webhook } from '../stores/postgres/outbox/due-deliveries.ts';
import type { DeclaredMessage, MailMessage, SmsMessage } from './declared-message.ts';
import type { MailSender } from './mail-sender.ts';
import { openedPayload } from './opened-payload.ts';
import type { Handing, Sender } from './sender.ts';
import type { SmsSender } from './sms-sender.ts';
import { soundMailbox } from './sound-mailbox.ts';

type Message = Delivery['message'];

/** The way out of one channel. */
export type Outlet = Pick<Sender<never>, 'called' | 'place' | 'knowsIdsFor' | 'longestSend'> & {
  readonly guard: Guard;
  /** The pauses between the tries; those of mail unless said otherwise. */
  readonly schedule?: RetrySchedule;
  /**
   * Whether a message ends with its patience though it had few tries: a system that is dead for days must not collect messages for
   * ever. Otherwise each gets a fair number of tries.
   */
  readonly endsWithPatience?: true;
  /** What is declared of a message; undefined where this build knows no such type. */
  readonly declared: (type: string) => Pick<DeclaredMessage<never>, 'repeats' | 'patience'> | undefined;
  /**
   * Writes the message and says how to send it.
   * @throws Refused where it cannot be written, or has no sound recipient
   * @throws SealFault where this process cannot open it
   */
  readonly write: (message: Message, webhook?: Webhook) => (handing: Handing) => Promise<void>;
};

type OutletParts = {
  readonly guard: Guard;
  /** Opens what is sealed of a message. */
  readonly seals: Seals;
};
/** The way out of each channel. That of a webhook depends on where it goes. */
export type Outlets = ReadonlyMap<Channel, Outlet | ((delivery: Delivery) => Outlet)>;

/** Lets the declared mails leave by this sender. */
export function mailOutlet(sender: MailSender, messages: readonly MailMessage[], parts: OutletParts): Outlet {
  return outlet(sender, messages, parts, ({ id, occurredAt: at, environment }, { to, subject, ...text }) => ({
    ...text,
    id,
    at,
    to: soundMailbox(to),
    subject: marked(environment, subject),
  }));
}

/** Lets the declared text messages leave by this sender. */
export function smsOutlet(sender: SmsSender, messages: readonly SmsMessage[], parts: OutletParts): Outlet {
  return outlet(sender, messages, parts, ({ id, environment }, { to, text }) => ({
    id,
    to: soundNumber(to),
    text: marked(environment, text),
  }));
}

/** Messages of the environment `test` are really sent. Their readers must not take them for a true order. */
function marked(environment: Message['environment'], text: string): string {
  return environment === 'test' ? `[test] ${text}` : text;
}

function outlet<Written, Ready>(
  { called, place, knowsIdsFor, longestSend, ...sender }: Sender<Ready>,
  messages: readonly DeclaredMessage<Written>[],
  { guard, seals }: OutletParts,
  ready: (message: Message, written: Written) => Ready,
): Outlet {
  const byType = new Map(messages.map((message) => [message.type, message]));
  return {
    called,
    place,
    knowsIdsFor,
    longestSend,
    guard,
    declared: (type) => byType.get(type),
    write(message) {
      const written = writtenBy(message, byType.get(message.type), seals);
      const whole = ready(message, written);
      return (handing) => sender.send(whole, handing);
    },
  };
}

/** A template that throws does so each time: its message waits for a person and a deploy. */
function writtenBy<Written>(message: Message, declared: DeclaredMessage<Written> | undefined, seals: Seals): Written {
  if (declared === undefined) throw new TypeError(`Nothing declares the message ${message.type}`);
  const payload = openedPayload(message, declared, seals);
  try {
    return declared.write(payload);
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new Refused({ code: 'message-unwritable', detail: `No ${message.type} can be written from this: ${why}` });
  }
}

/** E.164: a plus and at most 15 digits, the first of which is no zero. */
function soundNumber(number: string): string {
  if (/^\+[1-9]\d{6,14}$/.test(number)) return number;
  throw new Refused({
    code: 'recipient-unsound',
    detail: 'The number of the recipient is none that can be written to: give it by E.164, such as +4915112345678.',
  });
}
