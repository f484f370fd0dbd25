import { setTimeout as pause } from 'node:timers/promises';

/** An answer of the HTTP API. The text is kept as it came, so that two answers can be compared byte by byte. */
export type Answer = { status: number; text: string; body: Record<string, unknown>; workflowId: string | undefined };

/** The HTTP API as any caller sees it: plain HTTP, a token, a key. */
export type Door = {
  ask(method: 'GET' | 'POST', path: string, request?: { key?: string; body?: unknown }): Promise<Answer>;
  /** Sends bytes to the address that an upload's answer names: the HTTP API's own, or the S3 server's. */
  put(url: string, headers: Record<string, string>, bytes: Uint8Array): Promise<{ status: number; host: string }>;
  /** Waits until an operation has reached its final state. */
  settled(operationId: string): Promise<Answer>;
};

const finalStates = ['succeeded', 'refused', 'compensated', 'compensation_incomplete', 'cancelled', 'expired'];
/** How long one operation may take. It takes less than a second when nothing is wrong. Milliseconds. */
const patience = 60_000;

export function openDoor(address: string, token: string): Door {
  const authorization = { authorization: `Bearer ${token}` };
  const ask: Door['ask'] = async (method, path, request = {}) => {
    const response = await fetch(new URL(path, address), {
      method,
      headers: {
        ...authorization,
        ...(method === 'GET' && { prefer: 'wait=20' }), // seconds, after which the current state is the answer
        ...(request.key !== undefined && { 'idempotency-key': request.key }),
        ...(request.body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(request.body !== undefined && { body: JSON.stringify(request.body) }),
    });
    const text = await response.text();
    const workflowId = response.headers.get('hapax-workflow-id') ?? undefined;
    if (!response.ok) throw new Error(`${method} ${path} was answered with ${response.status}: ${text}`);
    return { status: response.status, text, body: JSON.parse(text) as Record<string, unknown>, workflowId };
  };
  return {
    ask,
    async put(url, headers, bytes) {
      const target = new URL(url, address);
      const own = target.origin === new URL(address).origin ? authorization : {};
      const response = await fetch(target, { method: 'PUT', headers: { ...headers, ...own }, body: bytes });
      if (!response.ok)
        throw new Error(`PUT ${target.origin} was answered with ${response.status}: ${await response.text()}`);
      return { status: response.status, host: target.host };
    },
    async settled(operationId) {
      const deadline = Date.now() + patience;
      for (;;) {
        const answer = await ask('GET', `/v1/operations/${operationId}`);
        if (finalStates.includes(String(answer.body['state']))) return answer;
        if (Date.now() > deadline)
          throw new Error(`Operation ${operationId} is still ${answer.body['state']} after a minute`);
        await pause(100); // for a server that does not honour `Prefer: wait`
      }
    },
  };
}
