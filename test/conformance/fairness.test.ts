import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Workflows } from '../../client/gateway/workflows.ts';
import { fairnessKey } from '../../client/gateway/fairness-key.ts';
import { operationId, type Scope } from '../../workflows/operation/key.ts';

const queue = `fair-${crypto.randomUUID()}`;

describe('the workers that tenants share', () => {
  let connection: Connection;
  beforeAll(async () => {
    connection = await Connection.connect({ address: inject('ground').temporalAddress });
  });
  afterAll(() => connection.close());

  /** Waits until so many tasks are in the queue: Temporal puts them there when it has answered the start. */
  async function queued(tasks: number): Promise<void> {
    const asked = { namespace: 'default', taskQueue: { name: queue }, includeTaskQueueStatus: true };
    await expect
      .poll(
        async () =>
          Number((await connection.workflowService.describeTaskQueue(asked)).taskQueueStatus?.backlogCountHint),
        {
          timeout: 30_000,
        },
      )
      .toBeGreaterThanOrEqual(tasks);
  }

  it('are not kept from one tenant by the queue of another', async () => {
    const client = new Client({ connection });
    const workflows = new Workflows(client, queue);
    const start = async (tenant: string, key: string): Promise<void> => {
      const scope: Scope = { tenant, environment: 'test', subject: 'default', flow: 'checkout', key };
      const operation = { id: operationId(scope, 1), tenant, environment: 'test', flow: 'checkout' } as const;
      await workflows.start({ ...operation, scope, generation: 1 });
    };
    const started = (tenant: string, many: number) =>
      Array.from({ length: many }, (_, n) => `${queue}-${tenant}-${n}`).map(async (key) => await start(tenant, key));
    await Promise.all(started('busy', 30));
    await Promise.all(started('quiet', 2));
    await queued(32);

    // As a worker that takes one task after the other. One that it has had for two seconds is given out again.
    const taken = new Set<string>();
    while (taken.size < 6) {
      const asked = { namespace: 'default', taskQueue: { name: queue }, identity: 'a test' };
      const task = await connection.withDeadline(Date.now() + 70_000, () =>
        connection.workflowService.pollWorkflowTaskQueue(asked),
      );
      if (task.workflowExecution?.workflowId) taken.add(task.workflowExecution.workflowId);
    }
    expect([...taken].filter((id) => id.split('/')[1] === 'quiet')).toHaveLength(2);
  });
});

describe('the fairness key of a tenant', () => {
  it('is the tenant, or 64 characters of a digest where its name is longer than Temporal takes', () => {
    expect(fairnessKey('acme')).toBe('acme');
    const long = ['é'.repeat(33), 'é'.repeat(34)].map(fairnessKey);
    expect(long.map((key) => key.length)).toEqual([64, 64]);
    expect(new Set(long).size).toBe(2);
  });
});
