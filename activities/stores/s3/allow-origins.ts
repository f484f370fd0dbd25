import { createHash } from 'node:crypto';
import { type CORSRule, GetBucketCorsCommand, PutBucketCorsCommand } from '@aws-sdk/client-s3';
import type { ObjectStore } from './object-store.ts';
import { statusOf } from './object-missing.ts';

/** Our rule among those of the bucket's owner, and of other deployments that share the bucket. */
function nameOf(origins: readonly string[]): string {
  return `hapax-${createHash('sha256').update(origins.toSorted().join()).digest('hex').slice(0, 12)}`;
}

/** What a page sends with a signed PUT, and reads from its answer. `ETag` names a part when its upload is completed. */
function ruleFor(origins: readonly string[]): CORSRule {
  return {
    ID: nameOf(origins),
    AllowedOrigins: [...origins],
    AllowedMethods: ['PUT', 'GET', 'HEAD'],
    AllowedHeaders: ['*'],
    ExposeHeaders: ['ETag', 'x-amz-checksum-sha256', 'x-amz-request-id'],
    MaxAgeSeconds: 3_600,
  };
}

/**
 * Lets pages of these origins send bytes to the bucket: a browser asks the store before it does. Rules of others stay.
 * @returns whether the rules had to be changed
 * @throws when the store does not let us
 */
export async function allowOrigins(store: ObjectStore, origins: readonly string[]): Promise<boolean> {
  const rules = await store.client.send(new GetBucketCorsCommand({ Bucket: store.bucket })).then(
    ({ CORSRules = [] }) => CORSRules,
    (error: unknown) => {
      // There are none yet.
      if (statusOf(error) === 404) return [];
      throw error;
    },
  );
  if (rules.some((rule) => allows(rule, origins))) return false;
  const CORSRules = [...rules.filter(({ ID }) => ID !== nameOf(origins)), ruleFor(origins)];
  await store.client.send(new PutBucketCorsCommand({ Bucket: store.bucket, CORSConfiguration: { CORSRules } }));
  return true;
}

function allows(rule: CORSRule, origins: readonly string[]): boolean {
  const wanted = ruleFor(origins);
  const has = (all: readonly string[] | undefined, one: string): boolean =>
    all?.some((each) => each === '*' || each.toLowerCase() === one.toLowerCase()) === true;
  return (
    origins.every((origin) => has(rule.AllowedOrigins, origin)) &&
    ['PUT', 'GET', 'HEAD'].every((method) => has(rule.AllowedMethods, method)) &&
    has(rule.AllowedHeaders, '*') &&
    (wanted.ExposeHeaders ?? []).every((header) => has(rule.ExposeHeaders, header))
  );
}
