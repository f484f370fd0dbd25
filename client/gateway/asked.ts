import { Seals } from '../../activities/seal/seals.ts';
import {
  erasedFingerprintVersion,
  fingerprint,
  fingerprintVersion,
  sealedFingerprintVersion,
} from '../../workflows/operation/fingerprint.ts';
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
  readonly digestVersion: number;
  /** Seals the request before it is stored. */
  readonly seals: Seals;
};

/** @param seals needed where the request holds a field that its flow seals */
export function asked<F extends AnyFlow>(flow: F, call: Call<F>, seals = Seals.none): Asked {
  const scope: Scope = {
    tenant: call.tenant,
    environment: call.environment,
    subject: flow.keyScope === 'tenant' ? '' : call.subject,
    flow: flow.name,
    key: call.key,
  };
  const request = call.request as Record<string, unknown>;
  const sensitive = flow.sealed.some((field) => request[field] !== undefined);
  const digestVersion = sensitive ? sealedFingerprintVersion : fingerprintVersion;
  const digest = fingerprint(flow.name, flow.intent, request, digestVersion, seals.mac);
  return { flow, call: call as Call, scope, name: scopeName(scope), digest, digestVersion, seals };
}

/** What the ledger may know this content by: the digest of this process, and those under keys before and after a rotation. */
export function digestsOf({ flow, call, digest, digestVersion, seals }: Asked): readonly string[] {
  if (digestVersion !== sealedFingerprintVersion) return [digest];
  const request = call.request as Record<string, unknown>;
  return seals.keyIds.map((id) =>
    fingerprint(flow.name, flow.intent, request, digestVersion, (text) => seals.mac(text, id)),
  );
}

type Stored = { readonly fingerprint: string; readonly fingerprintVersion: number };

/**
 * Compares with the version, and the key, that the row was written with, so that a deploy that hashes differently and a
 * rotation of keys still recognise retries.
 * @throws FingerprintUnknown when this process lacks one of them
 */
export function sameIntent({ flow, call, digest, digestVersion, seals }: Asked, row: Stored): boolean {
  if (row.fingerprintVersion === erasedFingerprintVersion) return false;
  if (row.fingerprintVersion === digestVersion && row.fingerprint === digest) return true;
  const request = call.request as Record<string, unknown>;
  const [key] = row.fingerprint.split(':');
  const mac = (text: string): string => seals.mac(text, key);
  return fingerprint(flow.name, flow.intent, request, row.fingerprintVersion, mac) === row.fingerprint;
}
