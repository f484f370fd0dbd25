import { z } from 'zod';
import { days, hours } from '../../workflows/operation/duration.ts';
import type { Environment } from '../../workflows/operation/key.ts';
import { hmacDeclaration, saidByHmac } from './schemes/hmac-scheme.ts';
import type { Delivery, Said } from './schemes/scheme.ts';
import { saidByStandard } from './schemes/standard-scheme.ts';
import { saidByStripe } from './schemes/stripe-scheme.ts';

/** The new one, the old one, and one to spare. An unsigned body costs us a digest for each of them. */
const mostSecrets = 3;
const tooMany = `give ${mostSecrets} secrets at most`;

const common = {
  /** Whose events they are. */
  tenant: z.string().regex(/^[^\p{Cc}\p{Cs}]{1,200}$/u, 'give the name of a tenant'),
  environment: z.enum(['live', 'test']),
  /** Several while they are changed: an event counts if one of them has signed it. */
  secrets: z
    .array(z.string().regex(/^[\x21-\x7e]{16,}$/, 'give secrets of 16 printable characters or more'))
    .min(1, 'give at least one secret')
    .max(mostSecrets, tooMany),
  /** What handlers know it by, where its name does not say it. */
  kind: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,40}$/)
    .optional(),
  /** For how long the sender repeats an event. Stripe does it for three days, others for up to 75 hours. */
  repeatsForHours: z
    .number()
    .positive()
    .max(24 * 365)
    .default(75),
} as const;

/** A secret of Standard Webhooks is base64, with or without its prefix. */
const standardSecrets = z
  .array(
    z.string().regex(/^(whsec_)?(?:[A-Za-z0-9+/]{4}){4,}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/, {
      error: "give secrets in base64, such as 'whsec_…'",
    }),
  )
  .min(1, 'give at least one secret')
  .max(mostSecrets, tooMany);

const declaration = z.discriminatedUnion('scheme', [
  z.strictObject({ scheme: z.literal('stripe'), ...common }),
  z.strictObject({ scheme: z.literal('standard'), ...common, secrets: standardSecrets }),
  z.strictObject({ scheme: z.literal('hmac'), ...common, ...hmacDeclaration }),
]);

/** `s3` has a route of its own. */
const sourceName = z
  .string()
  .regex(/^(?!s3$)[a-z][a-z0-9-]{0,40}$/, "name sources in lower-case letters, digits and '-'; 's3' is taken");
const declarations = z.record(sourceName, declaration);

/** Longer than a person takes to find out why an event was not handled. */
const usualKeep = days(30);

/** Somebody who sends us events, as the deployment declares it. */
export class EventSource {
  readonly name: string;
  readonly kind: string;
  readonly tenant: string;
  readonly environment: Environment;
  /** The last time that the sender may repeat an event is this long after the first. Milliseconds. */
  readonly repeatsFor: number;
  readonly #declared: z.output<typeof declaration>;

  constructor(name: string, declared: z.output<typeof declaration>) {
    this.name = name;
    this.kind = declared.kind ?? (declared.scheme === 'stripe' ? 'stripe' : name);
    this.tenant = declared.tenant;
    this.environment = declared.environment;
    this.repeatsFor = hours(declared.repeatsForHours);
    this.#declared = declared;
  }

  /** How long the ids of its events are known. Milliseconds. */
  get keep(): number {
    return Math.max(usualKeep, this.repeatsFor + days(1));
  }

  /** @throws EventFault where the signature does not hold, or the body cannot be read */
  async read(delivery: Delivery): Promise<Said> {
    const declared = this.#declared;
    switch (declared.scheme) {
      case 'stripe':
        return await saidByStripe(delivery, declared.secrets);
      case 'standard':
        return saidByStandard(delivery, declared.secrets);
      case 'hmac':
        return saidByHmac(delivery, declared.secrets, declared);
    }
  }
}

/** Who may send events to this deployment. */
export class EventSources {
  readonly #sources: ReadonlyMap<string, EventSource>;

  private constructor(sources: readonly EventSource[]) {
    this.#sources = new Map(sources.map((source) => [source.name, source]));
  }

  /**
   * @param text JSON, such as `{"stripe": {"scheme": "stripe", "tenant": "acme", "environment": "live", "secrets": ["whsec_…"]}}`
   * @throws Error that names the member at fault, and never a secret
   */
  static read(text: string): EventSources {
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      throw new Error('is no JSON: give {"stripe": {"scheme": "stripe", …}}');
    }
    const { data, error } = declarations.safeParse(json);
    if (error !== undefined) {
      const faults = error.issues.map((issue) => {
        // A name that does not fit says why one level further in.
        const why = issue.code === 'invalid_key' ? (issue.issues[0]?.message ?? issue.message) : issue.message;
        return `${issue.path.join('.') || 'the whole'}: ${why}`;
      });
      throw new Error(faults.join('; '));
    }
    return new EventSources(Object.entries(data).map(([name, declared]) => new EventSource(name, declared)));
  }

  find(name: string): EventSource | undefined {
    return this.#sources.get(name);
  }

  get all(): readonly EventSource[] {
    return [...this.#sources.values()];
  }
}
