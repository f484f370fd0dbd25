import { judgeType } from '../../activities/file-type/judge-type.ts';
import { typeByName } from '../../activities/file-type/type-by-name.ts';
import { placeIsTaken } from '../../activities/stores/postgres/uploads/place-is-taken.ts';
import type { RequestOf } from '../../workflows/operation/flow.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';
import type { uploadFlow } from '../../workflows/upload.flow.ts';
import type { FlowTerms } from '../gateway/terms.ts';
import { type DestinationPolicy, type Destinations, takesType } from './destinations.ts';

type Announcement = RequestOf<typeof uploadFlow>;

/** What a deployment takes of uploads, by their destination. */
export function uploadTerms(destinations: Destinations): FlowTerms {
  return {
    fills: ['whenSame', 'dedup', 'strict', 'readers'],
    filled(request) {
      const { destination, partial } = request as Announcement;
      // A partial upload becomes no file: the upload that joins it is placed.
      if (partial === true) return request;
      const { whenSame, dedup, strict, readers } = destinations.of(destination) ?? {};
      return {
        ...(whenSame === undefined ? {} : { whenSame }),
        ...(dedup === undefined ? {} : { dedup }),
        ...(strict === undefined ? {} : { strict }),
        ...(readers === undefined ? {} : { readers }),
        ...request,
      };
    },
    async refusal(database, { tenant, environment, subject }, request) {
      const announced = request as Announcement;
      const { destination, name, whenSame, partial } = announced;
      // Clients say nothing of a partial upload's place. The upload that joins it is held to its destination.
      if (partial === true) return undefined;
      const policy = destinations.of(destination);
      const refusal = policy === undefined ? unknownDestination(destination) : policyRefusal(announced, policy);
      if (refusal !== undefined || whenSame !== 'refuse') return refusal;
      // Another file may still take the place before the upload ends: placing it looks again.
      const taken = await placeIsTaken(database, { tenant, environment, subject, destination, name });
      return taken ? placeTaken(name, destination) : undefined;
    },
  };
}

function unknownDestination(destination: string): Refusal {
  return {
    code: 'destination-unknown',
    detail: `There is no destination ${JSON.stringify(destination)} here: ask for one that this service declares (HAPAX_DESTINATIONS).`,
    more: { field: 'destination', destination },
  };
}

function policyRefusal(announced: Announcement, policy: DestinationPolicy): Refusal | undefined {
  const { destination, type, size = 0 } = announced;
  const { types, largest = size, fixed = false, extension } = policy;
  if (types !== undefined && !takesType(types, type))
    return {
      code: 'destination-refuses',
      detail: `${JSON.stringify(destination)} takes no ${type}: send one of ${types.join(', ')}.`,
      more: { field: 'type', taken: types },
    };
  if (size > largest) return tooLarge(destination, largest);
  if (extension === 'match') {
    const otherwise = extensionRefusal(announced);
    if (otherwise !== undefined) return otherwise;
  }
  if (!fixed) return undefined;
  const other = (['whenSame', 'dedup', 'strict', 'readers'] as const).find(
    (field) => announced[field] !== policy[field],
  );
  if (other === undefined) return undefined;
  return {
    code: 'destination-refuses',
    detail: `${JSON.stringify(destination)} has its own \`${other}\`, which an upload cannot choose: leave the field out.`,
    more: { field: other },
  };
}

function extensionRefusal({ name, type, destination }: Announcement): Refusal | undefined {
  const byName = typeByName(name);
  if (byName === undefined || judgeType(type, byName).verdict !== 'contradicted') return undefined;
  return {
    code: 'destination-refuses',
    detail: `A file ${JSON.stringify(name)} is ${byName} by its name, and ${type} was declared: ${JSON.stringify(destination)} takes files whose names say what they are.`,
    more: { field: 'name', byName },
  };
}

/** For an upload that has more bytes than its destination takes. */
export function tooLarge(destination: string, largest: number): Refusal {
  return {
    code: 'upload-too-large',
    detail: `${JSON.stringify(destination)} takes files of at most ${largest} bytes.`,
    more: { field: 'size', largest },
  };
}

function placeTaken(name: string, destination: string): Refusal {
  return {
    code: 'place-taken',
    detail: `A file ${JSON.stringify(name)} is at ${JSON.stringify(destination)} already, and this upload does not want to stand beside it or replace it: choose another name.`,
    more: { field: 'name' },
  };
}
