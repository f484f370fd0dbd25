import { Client, Connection } from '@temporalio/client';
import { workflowId } from '../../../workflows/operation/key.ts';
import type { Figure } from '../measure/figure.ts';
import type { Servers } from '../stack/servers.ts';

/** What Temporal keeps of one checkout of each side. */
export async function historyFigures(servers: Servers, operation: string): Promise<Figure[]> {
  const connection = await Connection.connect({ address: servers.temporal.address });
  const client = new Client({ connection });
  const measure = async (id: string) => {
    const events = (await client.workflow.getHandle(id).fetchHistory()).events ?? [];
    const { historySizeBytes } = (await client.workflow.getHandle(id).describe()).raw.workflowExecutionInfo ?? {};
    return { events: events.length, bytes: Number(historySizeBytes ?? 0) };
  };
  const scope = { tenant: 'alpha', environment: 'test', subject: 'ada', flow: 'checkout', key: operation } as const;
  const [hapax, plain] = [await measure(workflowId(scope, 1)), await measure(operation)];
  await connection.close();
  return [
    {
      name: 'history events per checkout',
      unit: '',
      hapax: hapax.events,
      plain: plain.events,
      value: hapax.events / plain.events,
    },
    {
      name: 'history bytes per checkout',
      unit: 'B',
      hapax: hapax.bytes,
      plain: plain.bytes,
      value: hapax.bytes / plain.bytes,
    },
  ];
}
