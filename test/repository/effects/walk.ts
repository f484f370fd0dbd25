import { posix } from 'node:path';
import { isNode, literal, type Node } from '../imported-by.ts';
import { stringOf } from '../source-files.ts';
import type { CodeFile } from './code-file.ts';
import { clientCalled, type Kind, ofClient, ofGlobal, ofPackage } from './outside-names.ts';
import { engineCalls, type Form, formNamed, type Place, placeOf, takers } from './places.ts';
import { type Binding, declareIn, isCode, lookUp, nameOf, partsOf, type Scope, typeOf, unwrapped } from './scope.ts';
import { sqlEffect } from './sql-effect.ts';
import { valueType } from './value-type.ts';

/** A place in the code that touches what is outside the process. */
export type Touch = {
  readonly kind: Kind;
  readonly what: string;
  readonly place: Place;
  readonly path: string;
  readonly line: number;
  /** By which declarations it was reached. */
  readonly by: readonly string[];
};

type Parts = {
  readonly open: (path: string) => CodeFile | undefined;
  /** Whether the code of a file is followed. */
  readonly follows: (path: string) => boolean;
};

/**
 * Follows code from declaration to declaration, without running it, and notes every touch of the outside with the place from
 * which it was reached. It goes by names: a client is known by its declared type, or by the name that it goes under.
 */
export class Walk {
  readonly touches: Touch[] = [];
  readonly files = new Set<string>();
  /** What upkeep is given: `{path} {member}`. */
  readonly upkeep = new Set<string>();
  /** What was used and not followed: `{path}#{name}`. */
  readonly left = new Set<string>();
  readonly #parts: Parts;
  readonly #seen = new Set<string>();
  readonly #by: string[] = [];

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Walks an export of a file, or all of them. */
  exports(path: string, place: Place, name = '*'): void {
    this.#ours({ path, name }, place);
  }

  /** Walks all that stands in a file, used or not. */
  whole(path: string, place: Place): void {
    const file = this.#open(path);
    for (const [name, binding] of file?.scope.names ?? [])
      if (binding.kind === 'code') this.#binding(binding, name, place);
    for (const statement of file?.body ?? [])
      if (statement.type === 'ExpressionStatement') this.#visit(statement, (file as CodeFile).scope, place);
  }

  #open(path: string): CodeFile | undefined {
    const file = this.#parts.open(path);
    if (file === undefined || this.files.has(path)) return file;
    this.files.add(path);
    for (const statement of file.body) this.#load(statement, file.scope);
    return file;
  }

  #ours({ path, name }: { readonly path: string; readonly name: string }, place: Place): void {
    if (!this.#parts.follows(path)) {
      this.left.add(`${path}#${name}`);
      return;
    }
    for (const [exported, binding] of this.#open(path)?.exported ?? [])
      if (name === '*' || name === exported) this.#binding(binding, exported, place);
  }

  #binding(binding: Binding, name: string, place: Place, member?: string): void {
    if (binding.kind === 'ours') return this.#ours(binding, place);
    if (binding.kind !== 'code') return;
    const { node, scope } = binding;
    const key = `${scope.path}:${String(node.start)}:${place}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.#by.push(member === undefined ? name : `${name}.${member}`);
    if (node.type === 'VariableDeclarator') this.#value(node.init, scope, place, formNamed(typeOf(node.id)));
    else this.#code(node, scope, place);
    this.#by.pop();
  }

  #visit(node: unknown, scope: Scope, place: Place): void {
    if (Array.isArray(node)) for (const child of node) this.#visit(child, scope, place);
    if (!isNode(node)) return;
    if (isCode(node)) {
      // Declarations wait until they are used.
      if (!node.type.endsWith('Declaration')) this.#code(node, scope, place);
      return;
    }
    if (node.type.startsWith('TS')) return this.#value(node.expression, scope, place, formNamed(typeOf(node)));
    switch (node.type) {
      case 'ImportDeclaration':
      case 'MetaProperty':
        return;
      case 'Identifier':
        return this.#reference(node, scope, place);
      case 'MemberExpression':
        return this.#member(node, scope, place, false);
      case 'CallExpression':
        return this.#call(node, scope, place);
      case 'ImportExpression':
        return this.#importLate(node, scope, place);
      case 'BlockStatement':
        return this.#block(node, { ...scope, names: new Map(), parent: scope }, place);
      case 'CatchClause': {
        const inner = { ...scope, names: new Map(), parent: scope };
        if (isNode(node.param)) this.#bind(node.param, inner, place, undefined);
        return this.#block(node.body as Node, inner, place);
      }
      case 'VariableDeclaration':
        for (const declarator of node.declarations as Node[]) this.#declarator(declarator, scope, place);
        return;
      case 'ReturnStatement':
        return this.#value(node.argument, scope, place, formNamed(scope.returns));
      case 'Property':
      case 'MethodDefinition':
      case 'PropertyDefinition':
        if (node.computed === true) this.#visit(node.key, scope, place);
        return this.#visit(node.value, scope, place);
      case 'Literal':
      case 'TemplateLiteral':
        this.#text(node, scope, place);
        return this.#visit(node.expressions, scope, place);
      default:
        for (const child of Object.values(node)) this.#visit(child, scope, place);
    }
  }

  /** A value whose form may be known: a step, whose members have places of their own. */
  #value(node: unknown, scope: Scope, place: Place, form: Form | undefined): void {
    const bare = unwrapped(node);
    if (form === undefined || bare?.type !== 'ObjectExpression') return this.#visit(bare, scope, place);
    for (const property of bare.properties as Node[]) {
      const member = nameOf(property.key);
      const own = property.computed === true ? undefined : placeOf(form, member);
      // What calls a function to get the member does so while the step is made.
      if (own === undefined || !(isCode(property.value) || (property.value as Node).type === 'Identifier')) {
        this.#visit(property, scope, place);
        continue;
      }
      if (own === 'upkeep') this.upkeep.add(`${scope.path} ${member}`);
      this.#by.push(member);
      this.#visit(property.value, scope, own);
      this.#by.pop();
    }
  }

  #code(node: Node, scope: Scope, place: Place): void {
    if (node.type.startsWith('Class')) {
      this.#visit(node.superClass, scope, place);
      return this.#visit(node.body, scope, place);
    }
    const inner: Scope = { path: scope.path, names: new Map(), parent: scope, returns: typeOf(node.returnType) };
    for (const parameter of node.params as Node[]) this.#bind(parameter, inner, place, undefined);
    const body = node.body as Node;
    if (body.type === 'BlockStatement') this.#block(body, inner, place);
    else this.#value(body, inner, place, formNamed(inner.returns));
  }

  #block(node: Node, scope: Scope, place: Place): void {
    for (const statement of node.body as Node[]) declareIn(scope, statement);
    this.#visit(node.body, scope, place);
  }

  #declarator(node: Node, scope: Scope, place: Place): void {
    const { id, init } = node as Node & { readonly id: Node };
    const waiting = scope.names.get(nameOf(id));
    if (waiting?.kind === 'code' && waiting.node === node) return;
    this.#value(init, scope, place, formNamed(typeOf(id)));
    this.#bind(id, scope, place, valueType(init, scope));
  }

  #bind(pattern: Node, scope: Scope, place: Place, given: string | undefined): void {
    const type = isNode(pattern.typeAnnotation) ? typeOf(pattern) : given;
    if (pattern.type === 'Identifier') {
      const name = nameOf(pattern);
      const known = isNode(pattern.typeAnnotation) ? type : (type ?? clientCalled(name));
      scope.names.set(name, { kind: 'value', type: known });
      return;
    }
    if (pattern.type === 'AssignmentPattern') this.#visit(pattern.right, scope, place);
    for (const { key, part } of partsOf(pattern)) {
      // A method that is taken out of its client is as good as called.
      const kind = type !== undefined && key !== undefined ? ofClient(type, key, false) : undefined;
      if (kind !== undefined) this.#touch(kind, `${type}.${key}`, pattern, scope, place);
      this.#bind(part, scope, place, key === undefined ? type : clientCalled(key));
    }
  }

  #reference(node: Node, scope: Scope, place: Place, member?: string): void {
    const name = nameOf(node);
    const found = lookUp(scope, name);
    if (found === undefined) {
      const kind = ofGlobal(name, member);
      if (kind !== undefined) this.#touch(kind, name, node, scope, place);
    } else if (found.kind === 'package') {
      const used = found.name === '*' ? (member ?? '*') : found.name;
      const kind = ofPackage(found.specifier, used);
      if (kind !== undefined) this.#touch(kind, `${used} of ${found.specifier}`, node, scope, place);
    } else this.#binding(found, name, place, member);
  }

  #member(node: Node, scope: Scope, place: Place, isCalled: boolean): void {
    const member = nameOf(node.property);
    const object = unwrapped(node.object) as Node;
    const type = valueType(object, scope);
    const kind = type === undefined ? undefined : ofClient(type, member, isCalled);
    if (kind !== undefined) this.#touch(kind, `${type}.${member}`, node, scope, place);
    const besideEngine = isCalled && engineCalls.has(member) && place !== 'calling';
    if (besideEngine && !scope.path.startsWith('activities/stores/'))
      this.#touch('writes', `${member} of a step, which only the engine calls`, node, scope, place);
    if (object.type === 'Identifier') this.#reference(object, scope, place, member);
    else this.#visit(object, scope, place);
    if (node.computed === true) this.#visit(node.property, scope, place);
  }

  #call(node: Node, scope: Scope, place: Place): void {
    const callee = unwrapped(node.callee) as Node;
    const found = callee.type === 'Identifier' ? lookUp(scope, nameOf(callee)) : undefined;
    const isEngines = found?.kind === 'ours' && found.path.startsWith('activities/engine/');
    const taker = isEngines ? takers[found.name] : undefined;
    if (callee.type === 'MemberExpression') this.#member(callee, scope, place, true);
    else this.#visit(callee, scope, place);
    for (const [at, argument] of (node.arguments as Node[]).entries())
      this.#value(argument, scope, place, taker?.at === at ? taker.form : undefined);
  }

  #importLate(node: Node, scope: Scope, place: Place): void {
    const specifier = literal(node.source);
    if (specifier?.startsWith('.'))
      return this.#ours({ path: posix.join(posix.dirname(scope.path), specifier), name: '*' }, place);
    const kind = specifier === undefined ? undefined : ofPackage(specifier, '*');
    if (kind !== undefined) this.#touch(kind, specifier as string, node, scope, place);
  }

  #text(node: Node, scope: Scope, place: Place): void {
    const text = stringOf(node) ?? '';
    const kind = sqlEffect(text);
    if (kind !== undefined) this.#touch(kind, text.trim().split('\n')[0] as string, node, scope, place);
  }

  /** What a file does as it is loaded, besides calling functions of ours. */
  #load(node: unknown, scope: Scope): void {
    if (Array.isArray(node)) for (const child of node) this.#load(child, scope);
    if (!isNode(node) || isCode(node) || node.type === 'ImportDeclaration' || node.type.startsWith('TS')) return;
    if (node.type === 'CallExpression' || node.type === 'NewExpression') {
      const callee = unwrapped(node.callee) as Node;
      const member = callee.type === 'MemberExpression' ? nameOf(callee.property) : undefined;
      const root = member === undefined ? callee : (unwrapped(callee.object) as Node);
      const found = root.type === 'Identifier' ? lookUp(scope, nameOf(root)) : undefined;
      if (root.type === 'Identifier' && (found === undefined || found.kind === 'package'))
        this.#reference(root, scope, 'loading', member);
    }
    for (const child of Object.values(node)) this.#load(child, scope);
  }

  #touch(kind: Kind, what: string, node: Node, scope: Scope, place: Place): void {
    const text = this.#parts.open(scope.path)?.text ?? '';
    const line = text.slice(0, node.start as number).split('\n').length;
    this.touches.push({ kind, what, place, path: scope.path, line, by: [...this.#by] });
  }
}
