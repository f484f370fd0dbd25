import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readText, repository } from '../source-files.ts';
import { type CodeFile, parseCode } from './code-file.ts';
import { holders } from './outside-names.ts';
import { allows, saidOf } from './places.ts';
import { type Touch, Walk } from './walk.ts';

/** Opens a file of the repository as code. */
export type Open = (path: string) => CodeFile | undefined;

const opened = new Map<string, CodeFile>();

export const openFile: Open = (path) => {
  const known = opened.get(path);
  if (known !== undefined || !path.endsWith('.ts') || !existsSync(join(repository, path))) return known;
  const file = parseCode(path, readText(path));
  opened.set(path, file);
  return file;
};

/** The story of a flow, and what it is told by. Whatever else it uses is `left`. */
export function throughStory(flow: string, open: Open = openFile): Walk {
  const walk = new Walk({ open, follows: (path) => path.startsWith('workflows/') });
  walk.exports(`workflows/${flow}.ts`, 'story');
  return walk;
}

/** What a flow registers, as far as the engine. */
export function throughFlow(flow: string, open: Open = openFile): Walk {
  const follows = (path: string) => path.startsWith('activities/') && !path.startsWith('activities/engine/');
  const walk = new Walk({ open, follows });
  walk.exports(`activities/${flow}.ts`, 'making');
  return walk;
}

/** @returns a sentence for each touch of the outside that its place does not allow */
export function faultsOf({ touches }: Walk): readonly string[] {
  return touches.filter((touch) => !isAllowed(touch)).map(sentence);
}

export const isAllowed = ({ place, kind }: Touch): boolean => allows(place, kind);

/** Each as the end of a sentence about a line of code. */
const does = {
  writes: 'has an effect outside',
  looks: 'asks outside',
  database: 'opens a transaction of its own',
  rows: 'changes rows',
  tells: 'tells a message',
} as const;

function sentence({ kind, what, place, path, line, by }: Touch): string {
  return `${path}:${line} ${does[kind]} (${what}) ${saidOf(place)}: ${by.join(' → ')}`;
}

/** @returns by what a file has effects outside: functions of the stores, clients that it is given, and packages */
export function writersIn(path: string, open: Open = openFile): readonly string[] {
  const own = new Walk({ open, follows: (other) => other === path });
  own.whole(path, 'calling');
  const direct = own.touches.filter((touch) => !isAllowed(touch)).map(({ what }) => what.replace(/^.* of |\..*$/g, ''));
  const through = [...own.left].filter((name) => beneath.test(name) && hasEffect(name, open));
  const held = open(path)?.types.filter((name) => holders.has(name)) ?? [];
  return [...new Set([...direct, ...through.map(nameIn), ...held])].sort();
}

/** A file that is imported as a whole goes by its own name. */
function nameIn(left: string): string {
  const [path = '', name = ''] = left.split('#');
  return name === '*' ? basename(path) : name;
}

const beneath = /^activities\/(stores|engine)\//;

function hasEffect(name: string, open: Open): boolean {
  const [path = '', exported = ''] = name.split('#');
  const walk = new Walk({ open, follows: (other) => beneath.test(other) });
  walk.exports(path, 'calling', exported);
  return walk.touches.some((touch) => !isAllowed(touch));
}
