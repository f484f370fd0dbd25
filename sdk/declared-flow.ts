/** A schema, as far as types are read from it. Every schema of zod has this form (Standard Schema). */
type Schema = {
  readonly '~standard': { readonly types?: { readonly input: unknown; readonly output: unknown } | undefined };
};

/**
 * What the SDK reads of a flow's declaration, by type alone: nothing of the declaration is shipped.
 *
 * @example client.action<typeof checkoutFlow>({ flow: 'checkout', route: 'checkouts' })
 */
export type DeclaredFlow = {
  readonly request: Schema;
  readonly result: Schema;
  readonly steps: Readonly<Record<string, unknown>>;
};

type TypesOf<S extends Schema> = NonNullable<S['~standard']['types']>;

/** What a caller gives. */
export type InputOf<F extends DeclaredFlow> = TypesOf<F['request']>['input'];
/** What a caller gets. */
export type ResultOf<F extends DeclaredFlow> = TypesOf<F['result']>['output'];
export type StepOf<F extends DeclaredFlow> = keyof F['steps'] & string;

/** A flow whose declaration is not at hand, such as one of a server that is deployed elsewhere. */
export type AnyFlow = {
  readonly request: {
    readonly '~standard': { readonly types?: { input: Readonly<Record<string, unknown>>; output: unknown } };
  };
  readonly result: {
    readonly '~standard': { readonly types?: { input: unknown; output: Readonly<Record<string, unknown>> } };
  };
  readonly steps: Readonly<Record<string, unknown>>;
};
