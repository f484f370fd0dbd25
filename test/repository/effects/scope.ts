import { isNode, literal, type Node } from '../imported-by.ts';
import { formNamed } from './places.ts';

/** What a name stands for. */
export type Binding =
  /** Code of ours. It is followed from where it is used, because that decides what it may do. */
  | { readonly kind: 'code'; readonly node: Node; readonly scope: Scope }
  | { readonly kind: 'ours'; readonly path: string; readonly name: string }
  | { readonly kind: 'package'; readonly specifier: string; readonly name: string }
  /** A parameter or a result. `type` is its declared type, if that has a name. */
  | { readonly kind: 'value'; readonly type: string | undefined };

export type Scope = {
  readonly path: string;
  readonly names: Map<string, Binding>;
  readonly parent: Scope | undefined;
  /** The declared type of what the function around it returns. */
  readonly returns: string | undefined;
};

const code = /^(Arrow)?Function|^Class/;

export const isCode = (node: unknown): boolean => isNode(node) && code.test(node.type);

/**
 * Binds what a statement declares.
 * @returns the names
 */
export function declareIn(scope: Scope, statement: Node): readonly string[] {
  if (/^(Function|Class)Declaration$/.test(statement.type) && isNode(statement.id)) {
    const name = nameOf(statement.id);
    scope.names.set(name, { kind: 'code', node: statement, scope });
    return [name];
  }
  if (statement.type !== 'VariableDeclaration') return [];
  return (statement.declarations as Node[]).flatMap((declarator) => {
    // Inside a function, only functions and steps wait until they are used. Anything else is computed on the spot.
    const waits = isCode(declarator.init) || formNamed(typeOf(declarator.id)) !== undefined;
    if (scope.parent !== undefined && !waits) return [];
    const names = boundNames(declarator.id as Node);
    for (const name of names) scope.names.set(name, { kind: 'code', node: declarator, scope });
    return names;
  });
}

/** Every name that a pattern binds. */
function boundNames(pattern: Node): readonly string[] {
  if (pattern.type === 'Identifier') return [nameOf(pattern)];
  return partsOf(pattern).flatMap(({ part }) => boundNames(part));
}

/** The parts of a pattern, each with the name of the property that it is taken from. */
export function partsOf(pattern: Node): readonly { readonly key: string | undefined; readonly part: Node }[] {
  switch (pattern.type) {
    case 'ObjectPattern':
      return (pattern.properties as Node[]).map((property) =>
        property.type === 'RestElement'
          ? { key: undefined, part: property.argument as Node }
          : { key: nameOf(property.key), part: property.value as Node },
      );
    case 'ArrayPattern':
      return (pattern.elements as unknown[]).filter(isNode).map((part) => ({ key: undefined, part }));
    case 'AssignmentPattern':
      return [{ key: undefined, part: pattern.left as Node }];
    case 'RestElement':
      return [{ key: undefined, part: pattern.argument as Node }];
    default:
      return [];
  }
}

const wrappers = new Set(['Pick', 'Omit', 'Partial', 'Readonly', 'Required', 'Promise']);

/** @returns the name of a declared type: `Database` of `x: Database`, also of `x: Pick<Database, 'flush'>` */
export function typeOf(declared: unknown): string | undefined {
  if (!isNode(declared)) return undefined;
  if (declared.type !== 'TSTypeReference') return typeOf(declared.typeAnnotation);
  const name = isNode(declared.typeName) ? (declared.typeName.name as string | undefined) : undefined;
  if (name === undefined || !wrappers.has(name)) return name;
  const { params } = (declared.typeArguments ?? declared.typeParameters) as { readonly params: unknown[] };
  return typeOf(params[0]);
}

/** @returns the name of an identifier, or the text of a literal key; '' of anything else */
export function nameOf(node: unknown): string {
  if (!isNode(node)) return '';
  return typeof node.name === 'string' ? node.name : (literal(node) ?? '');
}

export function lookUp(scope: Scope, name: string): Binding | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const found = at.names.get(name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Without what stands around a value and changes nothing. */
export function unwrapped(node: unknown): Node | undefined {
  if (!isNode(node)) return undefined;
  if (node.type === 'AwaitExpression') return unwrapped(node.argument);
  return /^(Parenthesized|Chain|TSNonNull|TSInstantiation)/.test(node.type) ? unwrapped(node.expression) : node;
}
