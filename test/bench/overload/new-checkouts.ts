import { Agent, request } from 'node:http';
import { checkoutRequest } from '../stack/checkout-request.ts';
import { answerQuestions } from '../stack/conversation.ts';
import { flowRoute } from '../stack/http-door.ts';

export type Crowd = {
  readonly door: string;
  readonly name: string;
  readonly clients: number;
  readonly seconds: number;
};

/** One answer: when its request was sent and answered, in milliseconds since the crowd began. */
export type Answer = {
  readonly key: string;
  readonly sent: number;
  readonly answered: number;
  readonly status: number;
  readonly retryAfter: number;
};

async function crowd({ door, name, clients, seconds }: Crowd): Promise<readonly Answer[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const began = performance.now();
  const ends = began + seconds * 1_000;
  const answers: Answer[] = [];
  let made = 0;
  const client = async (): Promise<void> => {
    while (performance.now() < ends) {
      made += 1;
      const key = `${name}-${made}`;
      for (;;) {
        const sent = performance.now();
        const { status, retryAfter } = await send(agent, door, key);
        const answered = performance.now();
        answers.push({ key, sent: sent - began, answered: answered - began, status, retryAfter });
        if (status !== 503) break;
        if (answered + retryAfter * 1_000 > ends) return;
        await new Promise((resolve) => setTimeout(resolve, retryAfter * 1_000));
      }
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  agent.destroy();
  return answers;
}

async function send(agent: Agent, door: string, key: string): Promise<{ status: number; retryAfter: number }> {
  const { url, method, headers, body } = checkoutRequest(door, flowRoute, key);
  return await new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent }, (response) => {
      response.resume();
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, retryAfter: Number(response.headers['retry-after'] ?? 0) }),
      );
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

answerQuestions({ crowd }, async () => undefined);
