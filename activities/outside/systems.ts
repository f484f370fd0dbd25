import type { Systems } from './outside-system.ts';
import { payments } from './payments.ts';

/** The systems outside that steps call, by the name under which a step finds its client. A new one adds its line here. */
export const systems = { payments } as const satisfies Systems;

type SystemSetting = { [Name in keyof typeof systems]: keyof (typeof systems)[Name]['settings'] }[keyof typeof systems];

/** The names of all that a worker needs in order to reach them. */
export const systemSettings = Object.values(systems).flatMap(({ settings }) =>
  Object.keys(settings),
) as readonly SystemSetting[];

type FakePort = { [Name in keyof typeof systems]: keyof (typeof systems)[Name]['fake']['port'] }[keyof typeof systems];

/** The names of the ports at which their fakes listen. */
export const fakePorts = Object.values(systems).flatMap(({ fake }) => Object.keys(fake.port)) as readonly FakePort[];
