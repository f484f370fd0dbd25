import { expect, it } from 'vitest';
import { parseCode } from './effects/code-file.ts';
import { faultsOf, type Open, openFile, throughFlow, throughStory, writersIn } from './effects/look-through.ts';
import { readText } from './source-files.ts';

/** What no-dual-writes.test.ts must see: the product with one wrong change each. */

type Change = readonly [from: string | RegExp, to: string];

/** The repository, with one file changed. */
function changed(path: string, ...changes: readonly Change[]): Open {
  let text = readText(path);
  for (const [from, to] of changes) {
    const after = text.replace(from, to);
    if (after === text) throw new Error(`${path} has no ${String(from)} any more: plant the change elsewhere`);
    text = after;
  }
  const file = parseCode(path, text);
  return (asked) => (asked === path ? file : openFile(asked));
}

const first = /^/;

it.each<[what: string, path: string, changes: readonly Change[], says: RegExp]>([
  [
    'a fetch in a story',
    'workflows/checkout.ts',
    [["await step(story, 'capture'", "await fetch('https://stock.example/taken');\n  await step(story, 'capture'"]],
    /^workflows\/checkout\.ts:22 has an effect outside \(fetch\) in a story: checkout$/,
  ],
  [
    'a story that speaks to the ledger',
    'workflows/refund.ts',
    [
      [first, "import { forgetSession } from '../activities/stores/postgres/uploads/sessions/forget-session.ts';\n"],
      [
        "await step(story, 'giveBack'",
        "await forgetSession(story as never, 'a', 'b');\n  await step(story, 'giveBack'",
      ],
    ],
    /^activities\/stores\/postgres\/uploads\/sessions\/forget-session\.ts#forgetSession$/,
  ],
])('a story with %s is found', (_what, path, changes, says) => {
  const walk = throughStory(path.replace(/^workflows\/|\.ts$/g, ''), changed(path, ...changes));
  expect([...walk.left, ...faultsOf(walk)]).toEqual([expect.stringMatching(says)]);
});

it.each<[what: string, flow: string, path: string, changes: readonly Change[], says: RegExp]>([
  [
    'a mail that is sent beside the step that records the payment',
    'checkout',
    'activities/orders.ts',
    [
      [first, "import { smtpMailSender } from './delivery/smtp-mail-sender.ts';\n"],
      [
        'effect: ({ paymentIntent }, { operation, step }) => payOrder(',
        "effect: ({ paymentIntent }, { operation, step }) => void smtpMailSender({ url: 'smtp://a', from: { address: 'a@b' } }) ?? payOrder(",
      ],
    ],
    /smtp-mail-sender\.ts:\d+ has an effect outside .* where the statement of a step is made: registration → .*complete → effect → smtpMailSender/,
  ],
  [
    'a statement outside the step’s own transaction',
    'signup',
    'activities/signup.ts',
    [
      [
        "register = ({ seals, takenAddresses }: Pick<Stores, 'seals' | 'takenAddresses'>)",
        'register = ({ seals, takenAddresses, database }: Stores)',
      ],
      ['return beginSignup(', 'void database.flush(tenant, withdrawAccount(operation));\n    return beginSignup('],
    ],
    /^activities\/signup\.ts:\d+ opens a transaction of its own \(Database\.flush\) where the statement of a step is made: /,
  ],
  [
    'rows that are changed where a refusal is explained',
    'refund',
    'activities/refund.ts',
    [
      [
        'refusal: (row, { checkout, amount }): Refusal => notRefundable(',
        'refusal: (row, { checkout, amount }, { operation }, ask): Refusal => void ask(withdrawRefund(operation)) ?? notRefundable(',
      ],
    ],
    /withdraw-refund\.ts:\d+ changes rows \(.*\) where a refusal is explained: .*refusal → withdrawRefund/,
  ],
  [
    'a refund while the steps are made',
    'cancellation',
    'activities/cancellation.ts',
    [
      [
        'withdraw: statementActivities(database, withdraw),',
        'withdraw: statementActivities(void provider.refund({} as never, {} as never) ?? database, withdraw),',
      ],
    ],
    /^activities\/cancellation\.ts:\d+ has an effect outside \(PaymentProvider\.refund\) while steps are made: registration → steps$/,
  ],
  [
    'a refund by a method that was taken out of its client',
    'cancellation',
    'activities/cancellation.ts',
    [
      [
        'withdraw: statementActivities(database, withdraw),',
        'withdraw: statementActivities(void refund({} as never, {} as never) ?? database, withdraw),',
      ],
      [
        'function steps({ database, payments: { provider } }: Stores) {',
        'function steps({ database, payments: { provider } }: Stores) {\n  const { refund } = provider;',
      ],
    ],
    /^activities\/cancellation\.ts:\d+ has an effect outside \(PaymentProvider\.refund\) while steps are made: /,
  ],
  [
    'an object that is written in the transaction of the rows',
    'upload',
    'activities/assets.ts',
    [
      [first, "import { putOnce } from './stores/s3/put-once.ts';\n"],
      [
        'await releaseAsset(tx, operation);',
        'await releaseAsset(tx, operation);\n    await putOnce(tx as never, operation, new Uint8Array(), {} as never);',
      ],
    ],
    /put-once\.ts:\d+ has an effect outside \(PutObjectCommand of @aws-sdk\/client-s3\) in the transaction of a step: .*finalize → undo → putOnce$/,
  ],
  [
    'a message that an outside step tells in a transaction of its own',
    'upload',
    'activities/objects.ts',
    [
      [first, "import { activateAccount } from './stores/postgres/accounts/activate-account.ts';\n"],
      [
        'const adopted = await adoptWhereLost(',
        "await database.flush(about.tenant, activateAccount(about.operation, 'tidy'));\n      const adopted = await adoptWhereLost(",
      ],
    ],
    /activate-account\.ts:\d+ tells a message \(.*\) in an outside step: .*tidy → send → activateAccount/,
  ],
  [
    'a process that is started as the file is loaded',
    'books',
    'activities/books.ts',
    [[first, "import { execFile } from 'node:child_process';\nconst child = execFile('true');\n"]],
    /^activities\/books\.ts:2 has an effect outside \(execFile of node:child_process\) while its file is loaded/,
  ],
  [
    'a client that nobody has declared harmless',
    'erasure',
    'activities/erasure.ts',
    [
      [first, "import axios from 'axios';\n"],
      [
        'effect: (_input, { operation, step }) => reportErasure(',
        "effect: (_input, { operation, step }) => void axios.post('https://a.test') ?? reportErasure(",
      ],
    ],
    /^activities\/erasure\.ts:\d+ has an effect outside \(post of axios\) where the statement of a step is made: /,
  ],
])('a flow with %s is found', (_what, flow, path, changes, says) => {
  expect(faultsOf(throughFlow(flow, changed(path, ...changes)))).toContainEqual(expect.stringMatching(says));
});

it.each<[what: string, path: string, changes: readonly Change[], writers: readonly string[]]>([
  [
    'an object that a route writes',
    'client/http/routes/key-routes.ts',
    [
      [
        first,
        "import { putOnce } from '../../../activities/stores/s3/put-once.ts';\nexport const keep = (store: never) => putOnce(store, 'key', new Uint8Array(), {} as never);\n",
      ],
    ],
    ['putOnce'],
  ],
  [
    'a call of another service',
    'client/http/operations/send-reply.ts',
    [[first, "export const hear = async () => await fetch('https://a.test');\n"]],
    ['fetch'],
  ],
  [
    'a connection to Redis in the gateway',
    'client/gateway/outcomes.ts',
    [[first, "import type { RedisConnection } from '../../activities/stores/redis/redis-connection.ts';\n"]],
    ['RedisConnection'],
  ],
  [
    'a message that a route tells',
    'client/http/accounts/signup-standing.ts',
    [
      [
        first,
        "import { resendMail } from '../../../activities/stores/postgres/accounts/resend-mail.ts';\nexport const again = resendMail;\n",
      ],
    ],
    ['resendMail'],
  ],
])('on the side of the callers, %s is found', (_what, path, changes, writers) => {
  expect(writersIn(path)).toEqual([]);
  expect(writersIn(path, changed(path, ...changes))).toEqual(writers);
});
