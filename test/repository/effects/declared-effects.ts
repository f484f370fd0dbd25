type Declared = {
  readonly because: string;
  /** By which functions, clients and packages each file has effects outside. */
  readonly at: Readonly<Record<string, readonly string[]>>;
};

/** What callers set off outside without a step. The list is complete, and each entry says why nothing can get lost or happen twice. */
export const byCallers: readonly Declared[] = [
  {
    because: `Bytes pass by Temporal. Their objects lie under the key of an upload that is claimed, count for nothing until the
      ledger's row names them, and are removed with the upload or by the sweep.`,
    at: {
      'client/uploads/commit-bytes.ts': ['deleteObject'],
      'client/uploads/multipart-way.ts': ['abortMultipart', 'beginMultipart', 'presignPart'],
      'client/uploads/pieces/piece-store.ts': [
        ...['abortMultipart', 'beginMultipart', 'deleteObject', 'putOnce', 'putStream', 'uploadPart'],
      ],
      'client/uploads/pieces/store-small.ts': ['putOnce'],
      'client/uploads/presigned-way.ts': ['presignPut'],
      'client/uploads/store-body.ts': ['deleteObject', 'putStream'],
    },
  },
  {
    because: 'Redis has copies of answers that the ledger keeps. A copy that is missing or stale costs time only.',
    at: {
      'client/gateway/connect.ts': ['@temporalio/client', 'RedisConnection'],
      'client/gateway/copied-answers.ts': ['RedisConnection'],
    },
  },
  {
    because:
      'A workflow is started and told after the commit of the row that asks for it. Upkeep repeats what was lost.',
    at: { 'client/gateway/workflows.ts': ['@temporalio/client'] },
  },
  {
    because: 'The layers of `hapax/dedup` are what it offers. It has no ledger beside which they could be written.',
    at: {
      'client/dedup/broker-layer.ts': ['OnceStream'],
      'client/dedup/redis-layer.ts': ['RedisConnection'],
    },
  },
  {
    because: 'A GET of the public keys of an issuer of tokens. It changes nothing there.',
    at: { 'client/http/callers/signing-keys.ts': ['fetch'] },
  },
  {
    because: "Checks the provider's signature of an event, without a call.",
    at: { 'client/events/schemes/stripe-scheme.ts': ['stripe'] },
  },
  {
    because: 'Compared with the class of a connection that a caller has opened.',
    at: { 'client/http/protocol/lingering-close.ts': ['node:net'] },
  },
];

/** What has effects outside in activities/ and is reached by no step: it sends what steps have told, tidies up, or serves the engine. */
export const besideSteps: readonly Declared[] = [
  {
    because: `Sends what a step has told. The delivery's row is leased before and says what became of it afterwards, and each try
      carries the id of the message.`,
    at: {
      'activities/delivery/connect-senders.ts': ['MailSender', 'SmsSender'],
      'activities/delivery/outlet.ts': ['MailSender', 'SmsSender'],
      'activities/delivery/provider-mail-sender.ts': ['MailSender'],
      'activities/delivery/provider-sender.ts': ['exchange'],
      'activities/delivery/smtp-mail-sender.ts': [
        ...['MailSender', 'nodemailer/lib/mail-composer', 'nodemailer/lib/shared', 'nodemailer/lib/smtp-connection'],
      ],
      'activities/delivery/webhook/post-once.ts': ['node:http', 'node:https'],
    },
  },
  {
    because:
      "The engine's own call of an outside system: an HTTP step is given nothing else, and makes it as its `send`.",
    at: {
      'activities/engine/http-exchange.ts': ['fetch'],
      'activities/engine/http-step.ts': ['exchange'],
    },
  },
  {
    because: 'Connects the client that steps are given, and asks whether the address answers.',
    at: { 'activities/outside/payments.ts': ['PaymentProvider', 'fetch', 'stripe-client.ts', 'stripe-provider.ts'] },
  },
  {
    because: "Reads the provider's books and compares them with ours. It moves no money.",
    at: {
      'activities/reconcile/reconcile.ts': ['PaymentProvider'],
      'activities/reconcile/reconciler.ts': ['PaymentProvider'],
    },
  },
  {
    because: `The sweep of the bucket removes what no row explains, once it is a day old, and goes on where it stopped. Its mark says
      which ledger the bucket belongs to.`,
    at: {
      'activities/sweep/ledger-standing.ts': ['makeBucketMark', 'writeBucketMark'],
      'activities/sweep/leftover-contents.ts': ['deleteObject'],
      'activities/sweep/leftover-multiparts.ts': ['abortMultipart'],
      'activities/sweep/leftover-objects.ts': ['deleteObject'],
    },
  },
  {
    because:
      'A decoder is a process of its own without a connection to anything: it answers the worker that started it.',
    at: {
      'activities/decoder/decoder-process.ts': ['process'],
      'activities/decoder/limit-memory.ts': ['node:fs'],
    },
  },
];

/** What upkeep is given by flows, and why it may have effects outside without a step: it repeats itself, and only removes. */
export const inUpkeep: Readonly<Record<string, string>> = {
  'activities/erasure.ts due': 'Erasures that are not finished, by their rows.',
  'activities/erasure.ts clear': 'Erases rows, in batches of one transaction each.',
  'activities/purge-assets.ts due': 'Deleted assets whose time is over, by their rows.',
  'activities/purge-assets.ts clear':
    'The row that gives the content up comes before its objects go, and is forgotten after them.',
  'activities/upload.ts sweep': 'Removes objects under the prefix of an upload that has ended.',
};
