import { parseArgs } from 'node:util';
import { startSandbox } from './sandbox.ts';

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '0' },
    'public-url': { type: 'string' },
    data: { type: 'string' },
    'key-window-ms': { type: 'string' },
    'search-lag-ms': { type: 'string' },
    'clock-offset-ms': { type: 'string' },
  },
});
if (values.data === undefined) {
  process.stderr.write('Say where the sandbox keeps its journal: --data DIRECTORY\n');
  process.exit(2);
}

const sandbox = await startSandbox({
  data: values.data,
  host: values.host,
  port: Number(values.port),
  ...(values['public-url'] === undefined ? {} : { publicUrl: values['public-url'] }),
  ...given('keyWindowMs', values['key-window-ms']),
  ...given('searchLagMs', values['search-lag-ms']),
  ...given('clockOffsetMs', values['clock-offset-ms']),
});
process.stdout.write(`${JSON.stringify({ event: 'listening', url: sandbox.url, pid: process.pid })}\n`);

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => void sandbox.close().then(() => process.exit(0)));
}

function given<Name extends string>(name: Name, text: string | undefined): { [name in Name]?: number } {
  if (text === undefined) return {};
  const value = Number(text);
  if (text !== '' && Number.isFinite(value)) return { [name]: value } as { [name in Name]: number };
  process.stderr.write(`--${name} must be a number of milliseconds, not '${text}'.\n`);
  process.exit(2);
}
