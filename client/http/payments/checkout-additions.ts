import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { LRUCache } from 'lru-cache';
import { seconds } from '../../../workflows/operation/duration.ts';
import { awaitedStep } from '../../../workflows/operation/awaited-step.ts';
import { checkoutFlow } from '../../../workflows/checkout.flow.ts';
import type { Gateway } from '../../gateway.ts';
import type { FlowAdditions } from '../flow-additions.ts';

/** Asks the payment provider what the buyer of a payment has to do next. */
export type AskNextAction = (paymentIntent: string) => Promise<NextAction | undefined>;
type NextAction = { readonly type: 'redirect'; readonly url: string } | { readonly type: 'over' };

/** Browsers that wait ask often, and the provider counts our questions. Milliseconds. */
const askedAgainAfter = seconds(1);

const openedPayment = z.object({ paymentIntent: z.string() });

const action = z
  .object({ type: z.literal('redirect'), url: z.string() })
  .optional()
  .describe(
    "Where the buyer confirms the payment at the bank's page. It may change: use the one of the newest answer.",
  );

/** What the flow `checkout` adds to the HTTP API: where the buyer goes next, and a page to come back to. */
export function checkoutAdditions(askNextAction: AskNextAction, gateway: Pick<Gateway, 'arrive'>): FlowAdditions {
  // All who ask within a second share one question, whether it is answered or not.
  const asked = new LRUCache<string, { readonly next: Promise<NextAction | undefined> }>({
    max: 1_000,
    ttl: askedAgainAfter,
  });
  const ask = async (payment: string): Promise<NextAction | undefined> => {
    const known = asked.get(payment);
    if (known !== undefined) return await known.next;
    // If the provider is away, the next look gets it.
    const next = askNextAction(payment).catch(() => undefined);
    asked.set(payment, { next });
    return await next;
  };
  return {
    flow: checkoutFlow,
    offered: { nextAction: action },
    async offer(record) {
      if (record.settledAt !== null || awaitedStep(checkoutFlow, record)?.name !== 'authenticate') return {};
      const opened = openedPayment.safeParse(record.steps.find(({ name }) => name === 'openPayment')?.result);
      if (!opened.success) return {};
      const next = await ask(opened.data.paymentIntent);
      if (next?.type !== 'over') return { nextAction: next };
      // What a caller has found out first, the story need not look for.
      await gateway.arrive(checkoutFlow, record, 'authenticate', opened.data).catch(() => undefined);
      return {};
    },
    openRoutes: returnedPage,
  };
}

/** For shops that name no page of their own. It says nothing of the payment, since anyone may open it. */
function returnedPage(app: FastifyInstance): void {
  const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Back to the shop</title>
<p>Your bank has answered. You can close this page and go back to the shop.</p>
</html>
`;
  app.get('/returned', { schema: { hide: true } }, async (_request, reply) =>
    reply.type('text/html; charset=utf-8').header('cache-control', 'no-store').send(page),
  );
}
