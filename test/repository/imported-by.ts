export type Node = { type: string } & Record<string, unknown>;

export const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';

/** @returns what a node imports: `import … from`, `export … from`, `import()`, `typeof import()` and `require()` */
export function importedBy(node: Node): { specifier: string; typeOnly: boolean } | undefined {
  const specifier = specifierOf(node);
  if (specifier === undefined) return undefined;
  const typeOnly = node.importKind === 'type' || node.exportKind === 'type' || node.type === 'TSImportType';
  return { specifier, typeOnly };
}

function specifierOf(node: Node): string | undefined {
  if (node.type === 'CallExpression' && isNode(node.callee) && node.callee.name === 'require')
    return literal((node.arguments as unknown[])[0]);
  return /^(Import|Export|TSImportType)/.test(node.type) ? literal(node.source) : undefined;
}

export function literal(node: unknown): string | undefined {
  return isNode(node) && node.type === 'Literal' && typeof node.value === 'string' ? node.value : undefined;
}
