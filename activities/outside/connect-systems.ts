import type { ClientsOf, ReachOf, SettingFields, SettingsOf, Systems } from './outside-system.ts';

type Connected<S extends Systems> = {
  readonly clients: ClientsOf<S>;
  close(): Promise<void>;
};

/** Connects all systems. */
export async function connectSystems<S extends Systems>(
  systems: S,
  settings: ReachOf<S> extends SettingFields ? SettingsOf<ReachOf<S>> : never,
): Promise<Connected<S>> {
  const opened = await Promise.all(
    Object.entries(systems).map(async ([name, system]) => {
      const client = await system.connect(settings as never);
      return { name, client, close: async () => await system.close?.(client as never) };
    }),
  );
  return {
    clients: Object.fromEntries(opened.map(({ name, client }) => [name, client])) as ClientsOf<S>,
    close: async () => void (await Promise.all(opened.map(({ close }) => close()))),
  };
}
