import { posix } from 'node:path';
import { parseAst } from 'vitest/node';
import { importedBy, isNode, literal, type Node } from './imported-by.ts';

type Names = {
  readonly exported: string[];
  /** `{path}#{name}`, where `*` stands for all names of that file. */
  readonly imported: string[];
  /** Every identifier, as often as it stands there. */
  readonly mentioned: string[];
};

/** Reads which names a TypeScript file exports, and which it takes from other files of ours. */
export function namesIn(path: string, text: string): Names {
  const names: Names = { exported: [], imported: [], mentioned: [] };
  visit(parseAst(text, { lang: 'ts' }), path, names);
  return names;
}

function visit(node: unknown, path: string, names: Names): void {
  if (Array.isArray(node)) for (const child of node) visit(child, path, names);
  if (!isNode(node)) return;
  const specifier = importedBy(node)?.specifier;
  if (specifier?.startsWith('.')) {
    const from = posix.join(posix.dirname(path), specifier);
    names.imported.push(...takenBy(node).map((name) => `${from}#${name}`));
  }
  names.exported.push(...givenBy(node));
  if (node.type === 'Identifier') names.mentioned.push(node.name as string);
  for (const child of Object.values(node)) visit(child, path, names);
}

/** `import { a, b as c }` takes a and b; a default, a namespace, `export *` and `import()` may take all that is there. */
function takenBy(node: Node): string[] {
  if (node.type !== 'ImportDeclaration' && node.type !== 'ExportNamedDeclaration') return ['*'];
  const side = node.type === 'ImportDeclaration' ? 'imported' : 'local';
  return (node.specifiers as Node[]).map((each) => nameOf(each[side]) ?? '*');
}

function givenBy(node: Node): string[] {
  if (node.type === 'ExportDefaultDeclaration') return ['default'];
  if (node.type !== 'ExportNamedDeclaration') return [];
  const { declaration } = node;
  const named = isNode(declaration)
    ? ((declaration.declarations ?? [declaration]) as Node[]).map((each) => nameOf(each.id))
    : (node.specifiers as Node[]).map((each) => nameOf(each.exported));
  return named.filter((name) => name !== undefined);
}

function nameOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  return typeof node.name === 'string' ? node.name : literal(node);
}
