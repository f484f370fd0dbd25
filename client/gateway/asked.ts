import { fingerprint } from '../../workflows/operation/fingerprint.ts';
import type { AnyFlow } from '../../workflows/operation/flow.ts';
import type { Scope } from '../../workflows/operation/key.ts';
import { scopeName } from './answer-cache.ts';
import type { Call } from './call.ts';

/** One request, with the names derived from it. */
export type Asked = {
  readonly flow: AnyFlow;
  readonly call: Call;
  readonly scope: Scope;
  /** The scope as one string. */
  readonly name: string;
  /** The fingerprint of the request's intent. */
  readonly digest: string;
};

export function asked<F extends AnyFlow>(flow: F, call: Call<F>): Asked {
  const scope: Scope = {
    tenant: call.tenant,
    environment: call.environment,
    subject: flow.keyScope === 'tenant' ? '' : call.subject,
    flow: flow.name,
    key: call.key,
  };
  const digest = fingerprint(flow.name, flow.intent, call.request as Record<string, unknown>);
  return { flow, call: call as Call, scope, name: scopeName(scope), digest };
}
