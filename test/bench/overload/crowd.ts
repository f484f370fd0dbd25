import { Agent, request } from 'node:http';
import { checkoutRequest } from '../stack/checkout-request.ts';
import { answerQuestions } from '../stack/conversation.ts';
import { flowRoute } from '../stack/http-door.ts';

export type Crowd = {
  readonly door: string;
  readonly name: string;
  readonly clients: number;
  readonly seconds: number;
  /** The others come after so many seconds of this many clients alone. */
  readonly runUp?: { readonly clients: number; readonly seconds: number };
};

/** One answer: when its request was sent and when it came, in milliseconds since the crowd was whole. */
export type Answer = {
  readonly key: string;
  readonly sent: number;
  readonly came: number;
  readonly status: number;
  /** Seconds. */
  readonly retryAfter: number;
};

/** Each client begins another checkout when its last one has ended, and comes back with a refused one when it was told to. */
async function crowd({ door, name, clients, seconds, runUp }: Crowd): Promise<readonly Answer[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const whole = performance.now() + (runUp?.seconds ?? 0) * 1_000;
  const ends = whole + seconds * 1_000;
  const answers: Answer[] = [];
  let made = 0;
  const client = async (begins: number): Promise<void> => {
    await pause(begins - performance.now());
    while (performance.now() < ends) {
      made += 1;
      const key = `${name}-${made}`;
      for (;;) {
        const sent = performance.now() - whole;
        const { status, retryAfter } = await send(agent, door, key);
        const came = performance.now() - whole;
        answers.push({ key, sent, came, status, retryAfter });
        if (status !== 503) break;
        if (whole + came + retryAfter * 1_000 > ends) return;
        await pause(retryAfter * 1_000);
      }
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, n) => client(n < (runUp?.clients ?? 0) ? 0 : whole)));
  agent.destroy();
  return answers;
}

async function pause(milliseconds: number): Promise<void> {
  if (milliseconds > 0) await new Promise((resolve) => setTimeout(resolve, milliseconds));
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
