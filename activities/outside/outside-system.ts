import type { z } from 'zod';
import type { Protection } from './protection.ts';

export type SettingFields = Readonly<Record<string, z.ZodType>>;
export type SettingsOf<Fields extends SettingFields> = { readonly [Name in keyof Fields]: z.output<Fields[Name]> };

/**
 * A system outside that steps call: its settings, its client, and the fake that stands for it on a developer's machine
 * and in tests. Configuration, workers, the local stack and the test worlds read this declaration.
 */
type OutsideSystem<Fields extends SettingFields, Ports extends SettingFields, Client> = {
  /** What sentences call it, such as `the payment provider`. */
  readonly called: string;
  /** What a worker needs in order to reach it. Secrets may come from files, as any setting. */
  readonly settings: Fields;
  /** How calls of it are kept within bounds; `HAPAX_PROTECTION` may choose other numbers. */
  readonly protection: Protection;
  /** Connects when a worker starts. Import the client's package here, so that other processes do not load it. */
  readonly connect: (settings: SettingsOf<Fields>) => Promise<Client>;
  /** Ends the client's connections when the worker has done its last step; without it there are none that stay. */
  readonly close?: (client: Client) => Promise<void>;
  /** How the local stack tells that a person brings a system of their own. */
  readonly own: {
    /** If one of these is given, the fake is not started. */
    readonly givenBy: readonly (keyof Fields & string)[];
    /** The setting that holds the system's address. */
    readonly address: keyof Fields & string;
    /** What the client speaks to where the address is not given. */
    readonly otherwise: string;
    /** Rejects when nothing answers at the address. */
    readonly answers: (address: string) => Promise<unknown>;
  };
  readonly fake: Fake<Fields, Ports>;
};

/**
 * A process that behaves as the system does. It takes `--host`, `--port` and `--data`, prints a line with `"url":"…"`
 * when it listens, answers `/healthz`, and ends on SIGTERM. Its book of effects is at `/_audit`: a list of objects with
 * `type`, and with `operation` where the system was told of one.
 */
type Fake<Fields extends SettingFields, Ports extends SettingFields> = {
  /** Of its process, its log and its folder. */
  readonly name: string;
  /** What sentences call it, such as `the payment sandbox`. */
  readonly called: string;
  /** From the project's root. */
  readonly script: string;
  /** The setting that chooses its port, and no other. */
  readonly port: Ports;
  /** The settings of a worker that reaches the system, or its fake, at this address. */
  readonly settings: (address: string) => { readonly [Name in keyof Fields]?: string };
};

/** Keeps the types of the settings and of the client. */
export function outsideSystem<const Fields extends SettingFields, const Ports extends SettingFields, Client>(
  system: OutsideSystem<Fields, Ports, Client>,
): OutsideSystem<Fields, Ports, Client> {
  return system;
}

/** Any system, for code that does not look into its settings or its client. */
export type AnySystem = Pick<
  OutsideSystem<SettingFields, SettingFields, unknown>,
  'called' | 'settings' | 'protection' | 'fake' | 'own'
> & {
  readonly connect: (settings: never) => Promise<unknown>;
  readonly close?: (client: never) => Promise<void>;
};
export type Systems = Readonly<Record<string, AnySystem>>;

/** What the steps get: each system's client, under the system's name. */
export type ClientsOf<S extends Systems> = { readonly [Name in keyof S]: Awaited<ReturnType<S[Name]['connect']>> };

/** What a worker needs in order to reach all of them. */
export type ReachOf<S extends Systems> = Joined<S[keyof S]['settings']>;

/** All settings of the systems, the ports of their fakes included. */
export type FieldsOf<S extends Systems> = ReachOf<S> & Joined<S[keyof S]['fake']['port']>;

type Joined<Union> = (Union extends unknown ? (each: Union) => void : never) extends (all: infer All) => void
  ? All
  : never;
