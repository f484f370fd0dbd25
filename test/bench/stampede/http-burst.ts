import { Agent, request } from 'node:http';
import type { HttpRequest } from '../stack/checkout-request.ts';
import { answerQuestions } from '../stack/conversation.ts';

export type Burst = { readonly request: HttpRequest; readonly times: number };
export type Landed = {
  /** Milliseconds from the first request to the last answer. */
  readonly elapsed: number;
  readonly statuses: Readonly<Record<number, number>>;
  /** How many different bodies and workflows the answers named. */
  readonly bodies: number;
  readonly workflows: readonly string[];
  readonly operation: string;
};

type Answer = { readonly status: number; readonly body: string; readonly workflow: string };

/** Asks the same thing many times at once, each over a connection of its own. */
async function burst({ request: asked, times }: Burst): Promise<Landed> {
  const agent = new Agent({ maxSockets: times });
  const started = performance.now();
  const answers = await Promise.all(Array.from({ length: times }, () => send(asked, agent)));
  const elapsed = performance.now() - started;
  agent.destroy();
  const statuses: Record<number, number> = {};
  for (const { status } of answers) statuses[status] = (statuses[status] ?? 0) + 1;
  const workflows = [...new Set(answers.map(({ workflow }) => workflow))];
  const bodies = new Set(answers.map(({ body }) => body));
  const [first = '{}'] = bodies;
  const { id = '' } = JSON.parse(first) as { id?: string };
  return { elapsed, statuses, bodies: bodies.size, workflows, operation: id };
}

async function send({ url, method, headers, body }: HttpRequest, agent: Agent): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        const workflow = String(response.headers['hapax-workflow-id'] ?? '');
        resolve({ status: response.statusCode ?? 0, body: text, workflow });
      });
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

answerQuestions({ burst }, async () => undefined);
