import type { Logger } from 'pino';
import { KeyRing } from '../activities/seal/key-ring.ts';
import { looksLikeSubjectToken, SubjectTokens } from '../activities/seal/subject-tokens.ts';
import { Database } from '../activities/stores/postgres/database.ts';
import { ApiKeys } from '../client/http/callers/api-keys.ts';
import { type Caller, isEnvironment } from '../client/http/callers/caller.ts';
import { claimsForm, readClaimMapping } from '../client/http/callers/claim-mapping.ts';
import { identifyBearer } from '../client/http/callers/identify-bearer.ts';
import { SigningKeys } from '../client/http/callers/signing-keys.ts';
import { WebTokens, type WebTokenSettings } from '../client/http/callers/web-tokens.ts';
import type { Authenticate } from '../client/http/callers/authenticate.ts';
import type { Check } from '../client/http/health/readiness.ts';
import { type Config, ConfigFault } from './config.ts';
import { identify, readTokens } from './tokens.ts';

export const callerSettings = [
  'DATABASE_URL',
  'HAPAX_TOKENS',
  'HAPAX_JWKS_URL',
  'HAPAX_JWT_ISSUER',
  'HAPAX_JWT_AUDIENCE',
  'HAPAX_JWT_CLAIMS',
  'HAPAX_API_KEYS',
] as const;
type CallerConfig = Pick<Config, (typeof callerSettings)[number]>;

/** Each key in use costs one indexed read a second, so two connections are enough for thousands of keys. */
const connections = 2;

const noWay = `No caller could be identified: give the HTTP API at least one way to identify its callers.
  HAPAX_JWKS_URL, HAPAX_JWT_ISSUER and HAPAX_JWT_AUDIENCE take JWTs of an issuer,
  HAPAX_API_KEYS=on takes API keys, made with \`npm run keys -- create\`,
  HAPAX_TOKENS takes static tokens as token=tenant:environment:subject, for a local stack.`;

type Callers = {
  readonly authenticate: Authenticate;
  readonly check: () => Promise<Check>;
  readonly close: () => Promise<void>;
};

/**
 * Reads how callers may be identified, before anything is connected.
 * @param subjectTokens those of browsers without a user, which we have issued; by default none
 * @returns a function that connects what identifies them
 * @throws ConfigFault when there is no way, or one is only half configured
 */
export function readCallers(
  config: CallerConfig,
  subjectTokens = new SubjectTokens(KeyRing.empty),
): (log: Logger) => Promise<Callers> {
  const tokens = config.HAPAX_TOKENS === undefined ? undefined : readTokens(config.HAPAX_TOKENS);
  const jwt = readJwt(config);
  const keysOn = config.HAPAX_API_KEYS === 'on';
  if (tokens === undefined && jwt === undefined && !keysOn) throw new ConfigFault(`Cannot start:\n  ${noWay}`);
  return async (log) => {
    const warn = (message: string, err: unknown) => log.warn({ err }, message);
    const signingKeys = jwt && new SigningKeys(jwt.url, warn);
    const webTokens = jwt && signingKeys && new WebTokens(jwt, signingKeys, warn);
    const database = keysOn ? new Database(config.DATABASE_URL, 'hapax_app', connections) : undefined;
    const apiKeys = database && new ApiKeys(database, warn);
    // An issuer that cannot be reached does not keep us from starting.
    await signingKeys?.start();
    return {
      authenticate: identifyBearer({
        staticTokens: tokens && ((bearer) => identify(tokens, bearer)),
        webTokens: webTokens && ((bearer) => webTokens.identify(bearer)),
        apiKeys: apiKeys && ((bearer) => apiKeys.identify(bearer)),
        subjectTokens: { looksAlike: looksLikeSubjectToken, identify: (bearer) => anonymous(subjectTokens, bearer) },
      }),
      async check() {
        const parts = [
          ...(jwt && signingKeys ? [issuerPart(jwt.issuer, signingKeys)] : []),
          ...(apiKeys ? [await keysPart(apiKeys)] : []),
          ...(tokens ? [{ well: true, works: true, says: 'Static tokens (HAPAX_TOKENS).' }] : []),
        ];
        const state = parts.every(({ well }) => well)
          ? 'holds'
          : parts.some(({ works }) => works)
            ? 'degraded'
            : 'failed';
        return { name: 'callers', state, says: parts.map(({ says }) => says).join(' ') };
      },
      async close() {
        signingKeys?.close();
        await database?.close();
      },
    };
  };
}

function anonymous(tokens: SubjectTokens, bearer: string): Caller | undefined {
  const { tenant, environment, subject } = tokens.read(bearer, Date.now()) ?? {};
  if (tenant === undefined || subject === undefined || !isEnvironment(environment)) return undefined;
  return { tenant, environment, subject, role: 'caller', anonymous: true };
}

function readJwt(config: CallerConfig): (WebTokenSettings & { url: URL }) | undefined {
  const needed = ['HAPAX_JWKS_URL', 'HAPAX_JWT_ISSUER', 'HAPAX_JWT_AUDIENCE'] as const;
  const missing = needed.filter((name) => config[name] === undefined);
  if (missing.length === needed.length && config.HAPAX_JWT_CLAIMS === undefined) return undefined;
  const { HAPAX_JWKS_URL: url, HAPAX_JWT_ISSUER: issuer, HAPAX_JWT_AUDIENCE: audience } = config;
  if (url === undefined || issuer === undefined || audience === undefined)
    throw new ConfigFault(
      `Cannot start:\n${missing.map((name) => `  ${name} is not set: JWTs are checked against all of ${needed.join(', ')}`).join('\n')}`,
    );
  const claims = readClaimMapping(config.HAPAX_JWT_CLAIMS ?? '');
  if (claims === undefined)
    throw new ConfigFault(
      `Cannot start:\n  HAPAX_JWT_CLAIMS is ${JSON.stringify(config.HAPAX_JWT_CLAIMS)}: give ${claimsForm}`,
    );
  return { url: new URL(url), issuer, audience, claims };
}

/** `works`: it lets callers in. `well`: it works, and nothing is wrong with it. */
type Part = { readonly well: boolean; readonly works: boolean; readonly says: string };

function issuerPart(issuer: string, keys: SigningKeys): Part {
  const works = keys.set !== undefined;
  const since = keys.awaySince;
  const well = works && since === undefined;
  const known = works ? 'the last known keys stay in use' : 'none of its keys is known yet';
  const away =
    since === undefined ? '' : `, but HAPAX_JWKS_URL has given no keys since ${since.toISOString()}: ${known}`;
  return { well, works, says: `JWTs of ${issuer}${away}.` };
}

async function keysPart(apiKeys: ApiKeys): Promise<Part> {
  try {
    await apiKeys.check();
    return { well: true, works: true, says: 'API keys.' };
  } catch {
    const says =
      'API keys, but PostgreSQL does not look them up: check that DATABASE_URL reaches it, and run `npm run migrate`.';
    return { well: false, works: false, says };
  }
}
