import { Client, Connection } from '@temporalio/client';
import type { Servers } from '../stack/servers.ts';

/** How many runs Temporal knows under the names that the answers gave. */
export async function countRuns(servers: Servers, workflows: readonly string[]): Promise<number> {
  const connection = await Connection.connect({ address: servers.temporal.address });
  const client = new Client({ connection });
  let runs = 0;
  for (const id of workflows) {
    // Lists lag behind the histories, so a look may come too early: at most 50 looks of 100 ms.
    for (let look = 0; look < 50; look += 1) {
      const { count } = await client.workflow.count(`WorkflowId = "${id}"`);
      if (count > 0) {
        runs += count;
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  await connection.close();
  return runs;
}
