import type { RequestOf } from '../../../workflows/operation/flow.ts';
import { uploadFlow } from '../../../workflows/upload.flow.ts';
import { type Issue, requestInvalid } from '../problems/request-invalid.ts';

/**
 * What a protocol's headers announce, held to the schema that JSON is held to.
 * @throws HttpProblem request-invalid, naming the field
 */
export function soundUpload(announced: object): RequestOf<typeof uploadFlow> {
  const { error } = uploadFlow.request.safeParse(announced);
  if (error === undefined) return announced as RequestOf<typeof uploadFlow>;
  const issues: Issue[] = error.issues.map(({ path, message }) => ({ instancePath: `/${path.join('/')}`, message }));
  throw requestInvalid(issues);
}
