import { Client, Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import type { temporal } from '@temporalio/proto';
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
    return { events: events.length, bytes: Number(historySizeBytes ?? 0), actions: actionsIn(events) };
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
    {
      name: 'Temporal actions per checkout',
      unit: '',
      hapax: hapax.actions,
      plain: plain.actions,
      value: hapax.actions / plain.actions,
    },
  ];
}

const { EventType } = proto.temporal.api.enums.v1;
const single: ReadonlySet<unknown> = new Set([
  EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
  EventType.EVENT_TYPE_TIMER_STARTED,
  EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
  EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
]);

/** What Temporal Cloud charges for, as its price list counts. Local activities of one workflow task are one action together. */
function actionsIn(events: readonly temporal.api.history.v1.IHistoryEvent[]): number {
  const withMarkers = new Set<string>();
  let actions = 0;
  for (const { eventType, ...event } of events) {
    if (single.has(eventType)) actions += 1;
    // Each try is an action, and only the last one stands in the history.
    else if (eventType === EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED)
      actions += event.activityTaskStartedEventAttributes?.attempt ?? 1;
    else if (eventType === EventType.EVENT_TYPE_MARKER_RECORDED)
      withMarkers.add(String(event.markerRecordedEventAttributes?.workflowTaskCompletedEventId));
  }
  return actions + withMarkers.size;
}
