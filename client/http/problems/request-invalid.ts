import { HttpProblem } from './http-problem.ts';

/** A violation of a schema, in the form that Fastify reports. */
export type Issue = {
  readonly instancePath: string;
  readonly message?: string;
  readonly params?: Readonly<Record<string, unknown>>;
};

/** Listing more faults than this helps nobody. */
const mostListed = 10;

/** What people call the parts of a request that consist of parameters. A fault in the body has a JSON pointer instead. */
const parameters: Readonly<Record<string, string>> = { querystring: 'Query', params: 'Path', headers: 'Header' };

/** A request that does not match its schema: what is wrong, what was expected, and how many more faults there are. */
export function requestInvalid(issues: readonly Issue[], part = 'body'): HttpProblem {
  const whole = parameters[part];
  const faults = whole === undefined ? issues.map(ofBody) : issues.flatMap(ofParameters(whole));
  const [first] = faults;
  if (first === undefined) return new HttpProblem('request-invalid', 'The request does not match its schema.');
  const others = faults.length === 1 ? '' : ` (and ${faults.length - 1} more)`;
  return new HttpProblem('request-invalid', `${first.where}: ${first.fault.detail}${others}`, {
    ...('parameter' in first.fault ? { parameter: first.fault.parameter } : {}),
    errors: faults.slice(0, mostListed).map(({ fault }) => fault),
  });
}

function ofBody({ instancePath, message = 'is not valid' }: Issue) {
  // A JSON pointer (RFC 6901); the empty one means the whole body.
  const pointer = instancePath === '/' ? '' : instancePath;
  const where = pointer === '' ? 'The body' : `Field ${pointer.slice(1).replaceAll('/', '.')}`;
  return { where, fault: { pointer, detail: message } };
}

function ofParameters(whole: string) {
  return ({ instancePath, message = 'is not valid', params }: Issue) => {
    // Undeclared parameters are named in an issue of the whole part.
    const unknown = (params?.keys ?? []) as readonly string[];
    if (unknown.length > 0) return unknown.map((name) => named(name, 'there is no such parameter'));
    return [named(instancePath.slice(1), message)];
  };
  function named(parameter: string, detail: string) {
    return { where: `${whole} ${parameter}`, fault: { parameter, detail } };
  }
}
