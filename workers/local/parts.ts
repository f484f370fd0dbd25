import { systems } from '../../activities/outside/systems.ts';
import { given, type Setting } from '../config.ts';

/** The ports of the stack. Worker processes answer for their health at any free one, and the codec server is no part of it. */
export type PortSetting = Exclude<Extract<Setting, `HAPAX_${string}_PORT`>, 'HAPAX_HEALTH_PORT' | 'HAPAX_CODEC_PORT'>;

/** A part of the local stack: which settings bring one of a person's own, and which ports ours would take. */
type Part = { readonly name: string; readonly replacedBy: readonly Setting[]; readonly ports: readonly PortSetting[] };

const parts: readonly Part[] = [
  { name: 'the HTTP door', replacedBy: [], ports: ['HAPAX_HTTP_PORT'] },
  { name: 'PostgreSQL', replacedBy: ['DATABASE_URL'], ports: ['HAPAX_POSTGRES_PORT'] },
  { name: 'Temporal', replacedBy: ['TEMPORAL_ADDRESS'], ports: ['HAPAX_TEMPORAL_PORT', 'HAPAX_TEMPORAL_UI_PORT'] },
  { name: 'the S3 server', replacedBy: ['S3_ENDPOINT'], ports: ['HAPAX_S3_PORT'] },
  { name: 'Redis', replacedBy: ['REDIS_URL'], ports: ['HAPAX_REDIS_PORT'] },
  { name: 'the broker', replacedBy: ['NATS_URL'], ports: ['HAPAX_NATS_PORT'] },
  {
    name: 'the mail catcher',
    replacedBy: ['SMTP_URL', 'MAIL_PROVIDER_URL'],
    ports: ['HAPAX_SMTP_PORT', 'HAPAX_MAIL_UI_PORT'],
  },
  ...Object.values(systems).map(({ own, fake }) => ({
    name: fake.called,
    replacedBy: own.givenBy,
    ports: Object.keys(fake.port) as PortSetting[],
  })),
];

/** Every port that the stack is going to listen at, and the part that does. */
export function portsToOpen(): readonly { readonly name: string; readonly variable: PortSetting }[] {
  return parts
    .filter(({ replacedBy }) => !replacedBy.some(given))
    .flatMap(({ name, ports }) => ports.map((variable) => ({ name, variable })));
}
