import { Client, Connection } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import type { World } from './world.ts';

const { History } = temporal.api.history.v1;

/** @returns what Temporal's server keeps of a workflow: its events with all bytes as text, read without a codec */
export async function rawHistory(world: World, workflowId: string): Promise<string> {
  const connection = await Connection.connect({ address: world.env.TEMPORAL_ADDRESS as string });
  try {
    const history = await new Client({ connection }).workflow.getHandle(workflowId).fetchHistory();
    const bytes = (value: unknown): unknown =>
      value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value;
    return JSON.stringify(
      History.toObject(History.fromObject(history), { longs: String, enums: String }),
      (_, value) => {
        // A Buffer turns itself into an object before it is asked for.
        const buffer = value as { readonly type?: string; readonly data?: number[] } | null;
        return buffer?.type === 'Buffer' && buffer.data ? bytes(Buffer.from(buffer.data)) : bytes(value);
      },
    );
  } finally {
    await connection.close();
  }
}
