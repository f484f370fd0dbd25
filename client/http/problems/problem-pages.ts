import type { FastifyInstance } from 'fastify';
import { type FailureCode, failure, failureCodes, isFailureCode } from '../../../workflows/operation/failures.ts';
import type { AnyFlow } from '../../../workflows/operation/flow.ts';
import { advice } from './advice.ts';
import { HttpProblem } from './http-problem.ts';
import { renewingFlows } from '../operations/renewing-flows.ts';

/** Serves a page for each failure code, from the failure table. The `type` and `docUrl` of a problem link to it. */
export function problemPages(app: FastifyInstance, flows: readonly AnyFlow[]): void {
  app.get('/problems', { schema: { hide: true } }, (_, reply) => {
    const items = failureCodes(flows).map((code) => `<li><a href="/problems/${code}">${code}</a></li>`);
    return reply.type('text/html; charset=utf-8').send(page('Problems', `<ul>${items.join('')}</ul>`));
  });
  app.get<{ Params: { code: string } }>('/problems/:code', { schema: { hide: true } }, (request, reply) => {
    const { code } = request.params;
    if (!isFailureCode(code)) throw new HttpProblem('not-found', 'There is no such problem.');
    return reply.type('text/html; charset=utf-8').send(page(code, `${table(code)}${exceptions(flows, code)}`));
  });
}

function table(code: FailureCode): string {
  const { title, status, retryable, sameKeySafe, action, retryAfter } = failure(code);
  const rows: readonly [string, string][] = [
    ['HTTP status', String(status)],
    ['May the same request succeed later, unchanged?', retryable ? 'yes' : 'no'],
    ['May the same key be used again?', sameKeySafe ? 'yes' : 'no, make a new one'],
    ['What to do', `<code>${action}</code>: ${marked(advice[action])}`],
    ...(retryAfter === undefined ? [] : [['Wait at least', `${retryAfter} s`] as [string, string]]),
  ];
  return `<p>${title}.</p><table>${rows.map(([name, value]) => `<tr><th>${name}</th><td>${value}</td></tr>`).join('')}</table>`;
}

/** Notes for the flows that have declared something other than the failure table. */
function exceptions(flows: readonly AnyFlow[], code: FailureCode): string {
  const { action } = failure(code, true);
  return renewingFlows(flows, code)
    .map(
      ({ title }) =>
        `<p>${title}: the same key may be used again and begins a new operation. ${marked(advice[action])}</p>`,
    )
    .join('');
}

/** Advice is written for OpenAPI, whose texts are Markdown. */
function marked(text: string): string {
  return text.replace(/`([^`]+)`/g, '<code>$1</code>');
}

function page(title: string, body: string): string {
  return (
    `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
    `<title>${title}</title><style>body{font:16px/1.5 system-ui;max-width:40rem;margin:3rem auto;padding:0 1rem}` +
    `th{text-align:left;padding-right:2rem}</style><h1>${title}</h1>${body}</html>`
  );
}
