import { spoken } from './duration.ts';
import type { Retention } from './retention.ts';

/**
 * That a flow takes requests without a key. Its content (the declared intent) and its caller (the subject, or the tenant
 * where the flow shares its keys) then name the operation for a time.
 */
export type ContentKey = {
  /**
   * From the first arrival on, equal content counts as the same request for this long. After that it is a new one.
   * Milliseconds.
   */
  readonly window: number;
  /** Why equal content within the window is never meant twice. */
  readonly because: string;
};

/** @returns what is wrong, one sentence each */
export function contentKeyFaults({
  name,
  contentKey,
  route,
  retention,
}: {
  readonly name: string;
  readonly contentKey?: ContentKey;
  readonly route?: string;
  readonly retention: Retention;
}): readonly string[] {
  if (contentKey === undefined) return [];
  const { window } = contentKey;
  return [
    ...(window > 0 && window <= retention.response
      ? []
      : [
          `Flow ${name} takes equal content for one request for ${spoken(window)}, and keeps answers for ` +
            `${spoken(retention.response)}: give contentKey.window a time above nothing and up to that.`,
        ]),
    ...(route !== undefined
      ? []
      : [`Flow ${name} has a content key, but no route: no caller could leave its key out. Leave contentKey out.`]),
  ];
}
