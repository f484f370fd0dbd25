import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAst } from 'vitest/node';
import { importedBy, isNode, literal, type Node } from './imported-by.ts';
import type { Import } from './rooms.ts';

export const repository = join(dirname(fileURLToPath(import.meta.url)), '../..');

type SourceFile = {
  path: string;
  imports: Import[];
  /** Every string literal and template, the latter with `?` for what is filled in. */
  strings: string[];
  readsEnvironment: boolean;
};

/** Every file under a folder of the repository, as paths from its root with forward slashes. */
export function filesUnder(folder: string): string[] {
  return readdirSync(join(repository, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => posix.relative(repository, join(entry.parentPath, entry.name)))
    .filter((path) => !/(^|\/)(node_modules|dist)\//.test(path))
    .sort();
}

export function readText(path: string): string {
  return readFileSync(join(repository, path), 'utf8');
}

/** Parses a TypeScript file, so that comments and look-alikes in strings do not count. */
export function readSource(path: string): SourceFile {
  return parseSource(path, readText(path));
}

export function parseSource(path: string, text: string): SourceFile {
  const source: SourceFile = { path, imports: [], strings: [], readsEnvironment: false };
  visit(parseAst(text, { lang: path.endsWith('x') ? 'tsx' : 'ts' }), source);
  return source;
}

function visit(node: unknown, source: SourceFile): void {
  if (Array.isArray(node)) for (const child of node) visit(child, source);
  if (!isNode(node)) return;
  const found = importedBy(node);
  if (found !== undefined) source.imports.push({ from: source.path, ...found });
  const string = stringOf(node);
  if (string !== undefined) source.strings.push(string);
  if (touchesEnvironment(node)) source.readsEnvironment = true;
  for (const child of Object.values(node)) visit(child, source);
}

/** The text of a string literal, or of a template with `?` for what is filled in; undefined for anything else. */
export function stringOf(node: Node): string | undefined {
  if (node.type !== 'TemplateLiteral') return literal(node);
  return (node.quasis as { value: { raw: string } }[]).map((quasi) => quasi.value.raw).join('?');
}

/** `process.env`, `const { env } = process` and `import { env } from 'node:process'`. */
function touchesEnvironment(node: Node): boolean {
  if (node.type === 'MemberExpression') return isProcess(node.object) && nameOf(node.property) === 'env';
  if (node.type === 'VariableDeclarator') return isProcess(node.init) && JSON.stringify(node.id).includes('"env"');
  if (node.type !== 'ImportDeclaration' || !/^(node:)?process$/.test(literal(node.source) ?? '')) return false;
  return (node.specifiers as Node[]).some((each) => nameOf(each.imported) === 'env');
}

function isProcess(node: unknown): boolean {
  if (!isNode(node)) return false;
  return node.type === 'MemberExpression' ? nameOf(node.property) === 'process' : nameOf(node) === 'process';
}

function nameOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  return typeof node.name === 'string' ? node.name : literal(node);
}
