import { z } from 'zod';
import { essence } from '../../workflows/operation/media-type.ts';
import { largestUpload } from '../../workflows/operation/part-limits.ts';
import { uploadFlow } from '../../workflows/upload.flow.ts';

const { dedup, whenSame, strict, readers } = uploadFlow.request.shape;

const mediaRange = z
  .string()
  .regex(
    /^[a-z0-9!#$&^_.+-]+\/(\*|[a-z0-9!#$&^_.+-]+)$/,
    "give a media type in lower case, or a range such as 'image/*'",
  );

const policySchema = z.strictObject({
  /** Media types that it takes; any by default. */
  types: z.array(mediaRange).min(1).optional(),
  /** Bytes of the largest file. */
  largest: z.int().min(0).max(largestUpload, `is more than an upload can have (${largestUpload} bytes)`).optional(),
  /** For an upload that does not say it. */
  whenSame,
  /** For an upload that does not say it. */
  dedup,
  /** Whether bytes have to show their type; for an upload that does not say it. */
  strict,
  /** `match`: a name whose extension stands for a type that contradicts the declared one is refused. */
  extension: z.enum(['any', 'match']).optional(),
  /** Who may look at its files and download them; `subject` holds for those that are there already, too. */
  readers,
  /** For how many days a deleted file can be restored; 30 by default. */
  restorableDays: z.number().min(0).max(3_650).optional(),
  /** Whether an upload may not say otherwise. */
  fixed: z.boolean().optional(),
});

const destinationsSchema = z.strictObject({
  destinations: z
    .array(
      policySchema.extend({
        /** Its name, in which `*` stands for any characters. The first that fits counts. */
        name: z.string().min(1).max(200),
      }),
    )
    .default([]),
  /** What holds for every other name. */
  others: z
    .union([z.literal('refused'), policySchema], { error: "give 'refused', or what holds for them" })
    .default({}),
});

/** What a destination takes, and how files are placed there. */
export type DestinationPolicy = z.output<typeof policySchema>;

/** Where files may go in this deployment. Declared in one place, so that every way in holds to it. */
export class Destinations {
  readonly #named: readonly { readonly fits: RegExp; readonly policy: DestinationPolicy }[];
  readonly #others: DestinationPolicy | 'refused';

  private constructor({ destinations, others }: z.output<typeof destinationsSchema>) {
    this.#named = destinations.map(({ name, ...policy }) => ({ fits: pattern(name), policy }));
    this.#others = others;
  }

  /**
   * @param text JSON, such as `{"destinations": [{"name": "avatars", "types": ["image/*"]}], "others": "refused"}`
   * @throws Error that names the member at fault
   */
  static read(text: string): Destinations {
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      throw new Error('is no JSON: give {"destinations": […], "others": …}');
    }
    const { data, error } = destinationsSchema.safeParse(json);
    if (data !== undefined) return new Destinations(data);
    const faults = error.issues.map(({ path, message }) => `${path.join('.') || 'the whole'}: ${message}`);
    throw new Error(faults.join('; '));
  }

  /** @returns undefined where the deployment knows no such destination */
  of(name: string): DestinationPolicy | undefined {
    const policy = this.#named.find(({ fits }) => fits.test(name))?.policy ?? this.#others;
    return policy === 'refused' ? undefined : policy;
  }

  /** @returns how many bytes a file there may have */
  largest(name: string): number {
    return this.of(name)?.largest ?? largestUpload;
  }
}

function pattern(name: string): RegExp {
  const literal = name.split('*').map((part) => RegExp.escape(part));
  return new RegExp(`^${literal.join('.*')}$`, 'su');
}

/** @param ranges media types, or ranges such as `image/*` */
export function takesType(ranges: readonly string[], type: string): boolean {
  const given = essence(type);
  return ranges.some((one) => one === given || (one.endsWith('/*') && given.startsWith(one.slice(0, -1))));
}
