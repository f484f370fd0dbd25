import { posix } from 'node:path';
import { parseAst } from 'vitest/node';
import { importedBy, isNode, type Node } from '../imported-by.ts';
import { type Binding, declareIn, nameOf, type Scope } from './scope.ts';

export type CodeFile = {
  readonly path: string;
  readonly text: string;
  readonly body: readonly Node[];
  readonly scope: Scope;
  readonly exported: ReadonlyMap<string, Binding>;
  /** Names of types that it imports from other files of ours. */
  readonly types: readonly string[];
};

export function parseCode(path: string, text: string): CodeFile {
  const body = parseAst(text, { lang: 'ts' }).body as unknown as Node[];
  const scope: Scope = { path, names: new Map(), parent: undefined, returns: undefined };
  const exported = new Map<string, Binding>();
  const types: string[] = [];
  for (const statement of body) {
    if (statement.type === 'ImportDeclaration') importInto(scope, statement, types);
    const { declaration } = statement;
    const declared = declareIn(scope, isNode(declaration) ? declaration : statement);
    if (statement.type !== 'ExportNamedDeclaration') continue;
    for (const name of declared) exported.set(name, scope.names.get(name) as Binding);
    for (const specifier of statement.specifiers as Node[]) {
      const [local, name] = [nameOf(specifier.local), nameOf(specifier.exported)];
      const found = boundBy(path, statement, local) ?? scope.names.get(local);
      if (found !== undefined) exported.set(name, found);
    }
  }
  return { path, text, body, scope, exported, types };
}

function importInto(scope: Scope, statement: Node, types: string[]): void {
  for (const specifier of statement.specifiers as Node[]) {
    const name = specifier.type === 'ImportSpecifier' ? nameOf(specifier.imported) : '*';
    const found = boundBy(scope.path, statement, name);
    if (statement.importKind === 'type' || specifier.importKind === 'type') {
      if (found?.kind === 'ours') types.push(name);
    } else if (found !== undefined) scope.names.set(nameOf(specifier.local), found);
  }
}

function boundBy(path: string, statement: Node, name: string): Binding | undefined {
  const specifier = importedBy(statement)?.specifier;
  if (specifier === undefined) return undefined;
  if (!specifier.startsWith('.')) return { kind: 'package', specifier, name };
  return { kind: 'ours', path: posix.join(posix.dirname(path), specifier), name };
}
