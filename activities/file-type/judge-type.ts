import { supportedMimeTypes } from 'file-type';
import { essence } from '../../workflows/operation/media-type.ts';
import {
  executable,
  freeStart,
  office,
  otherNames,
  packed,
  packedText,
  playedOrShown,
  textual,
  typeFamilies,
  writtenAsText,
  zipped,
} from './type-families.ts';

/** How what is declared and what the bytes show go together. */
type TypeVerdict =
  /** The bytes show the declared type. */
  | 'shown'
  /** They show what such a file may look like: its container, or another member of its family. */
  | 'related'
  /** They show nothing, or the declared type has no form that we know. */
  | 'unproven'
  /** They show one well-known type, and the declared one cannot hold it. */
  | 'contradicted';

/** What is known of a file's type. It is kept with the asset. */
export type TypeEvidence = {
  /** As its sender has declared it. */
  readonly declared: string;
  /** The media type that the first bytes show; '' if they show none. */
  readonly shown: string;
  /** What shows it. */
  readonly by: 'signature' | 'text' | 'nothing';
  readonly verdict: TypeVerdict;
};

/** The types by which file-type knows bytes, in lower case and without parameters. */
const known: ReadonlySet<string> = new Set([...supportedMimeTypes].map(essence));

/**
 * Judges a declared type by what the first bytes show. The sender is believed unless the bytes contradict it: browsers and
 * operating systems choose the type by the file's name, and nobody can mend it afterwards.
 * @param sniffed what the bytes show (`sniffType`)
 */
export function judgeType(declared: string, sniffed: string): TypeEvidence {
  const [asked, shown] = [registered(declared), registered(sniffed)];
  const by = shown === '' ? 'nothing' : shown === 'text/plain' ? 'text' : 'signature';
  return { declared, shown: sniffed, by, verdict: verdictOn(asked, shown) };
}

function verdictOn(asked: string, shown: string): TypeVerdict {
  if (shown === '') return 'unproven';
  if (asked === shown) return 'shown';
  if (textual.test(asked)) return onText(asked, shown);
  const family = typeFamilies.find(({ declared }) => declared.test(asked));
  if (family?.mayShow.test(shown)) return 'related';
  if (freeStart.test(asked)) return 'unproven';
  const contradicts = hasForm(asked) || (executable.test(shown) && playedOrShown.test(asked));
  return contradicts ? 'contradicted' : 'unproven';
}

function onText(asked: string, shown: string): TypeVerdict {
  if (shown === 'text/plain') return 'shown';
  if (writtenAsText.test(shown)) return 'related';
  return packedText.test(asked) && packed.test(shown) ? 'related' : 'contradicted';
}

/** Whether we know what its bytes look like. */
function hasForm(type: string): boolean {
  return known.has(type) || office.test(type) || zipped.test(type);
}

function registered(type: string): string {
  const name = essence(type);
  return otherNames[name] ?? name;
}
