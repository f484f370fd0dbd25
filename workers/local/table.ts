import { join } from 'node:path';
import type { Outside } from './provide-outside.ts';

/** The last thing that `npm start` prints: where everything is. */
export function printTable(stack: {
  addresses: Record<string, string>;
  shownToken: string;
  directory: string;
  uiUrl: string | undefined;
  fakes: Outside['fakes'];
  checkoutWorkflow?: string | undefined;
  uploadWorkflow?: string | undefined;
}): void {
  const rows: [string, string | undefined][] = [
    ...Object.entries(stack.addresses),
    ['The checkout’s workflow', workflowLink(stack.uiUrl, stack.checkoutWorkflow)],
    ['The upload’s workflow', workflowLink(stack.uiUrl, stack.uploadWorkflow)],
    ['What was charged', stack.fakes.payments && `${stack.fakes.payments}/_audit`],
    ['Token', `Authorization: Bearer ${stack.shownToken}`],
    ['Logs', join(stack.directory, 'logs')],
    ['Addresses, for programs', join(stack.directory, 'stack.json')],
  ];
  const shown = rows.filter((row): row is [string, string] => row[1] !== undefined);
  const width = Math.max(...shown.map(([name]) => name.length));
  console.log(`\n${shown.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n')}`);
  console.log('\nCtrl-C stops everything; the state is kept. `npm start -- --fresh` begins anew.');
}

/** A workflow id holds slashes; in the UI's address they must not be ones. */
function workflowLink(uiUrl: string | undefined, workflowId: string | undefined): string | undefined {
  return uiUrl && workflowId && `${uiUrl}/namespaces/default/workflows/${encodeURIComponent(workflowId)}`;
}
