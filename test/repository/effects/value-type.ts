import { clientCalled } from './outside-names.ts';
import { lookUp, nameOf, type Scope, typeOf, unwrapped } from './scope.ts';

/** @returns the name of a value's type, where its declaration or its own name tells it */
export function valueType(node: unknown, scope: Scope): string | undefined {
  const bare = unwrapped(node);
  if (bare === undefined) return undefined;
  switch (bare.type) {
    case 'Identifier': {
      const found = lookUp(scope, nameOf(bare));
      if (found?.kind === 'value') return found.type;
      return found?.kind === 'code' && found.node.type === 'VariableDeclarator' ? typeOf(found.node.id) : undefined;
    }
    case 'MemberExpression':
      return clientCalled(nameOf(bare.property));
    case 'NewExpression':
      return nameOf(bare.callee) || undefined;
    default:
      return undefined;
  }
}
