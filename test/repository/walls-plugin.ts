import { posix } from 'node:path';
import { importedBy, type Node } from './imported-by.ts';
import { wallAgainst } from './rooms.ts';

/** As much of a linter's context as this rule needs. */
type Context = {
  readonly cwd: string;
  readonly filename: string;
  report(found: { readonly message: string; readonly node: Node }): void;
};

/** The walls of `rooms.ts` as a rule of lint, so that an editor shows a wrong import while it is written. */
const imports = {
  create(context: Context) {
    const from = posix.relative(context.cwd, context.filename);
    const check = (node: Node) => {
      const found = importedBy(node);
      const message = found === undefined ? undefined : wallAgainst({ from, ...found });
      if (message !== undefined) context.report({ message, node });
    };
    return {
      ...{ ImportDeclaration: check, ImportExpression: check, TSImportType: check, CallExpression: check },
      ...{ ExportNamedDeclaration: check, ExportAllDeclaration: check },
    };
  },
};

// oxlint-disable-next-line import/no-default-export -- lint takes a plugin in this form only
export default { meta: { name: 'walls' }, rules: { imports } };
