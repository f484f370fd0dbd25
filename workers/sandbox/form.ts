import { hash } from 'node:crypto';
import { invalidRequest } from './stripe-error.ts';

/** A decoded form: `a[b]=1&c[]=2` is `{ a: { b: '1' }, c: { 0: '2' } }`. Has no prototype. */
export interface Form {
  [name: string]: string | Form;
}

// Stripe refuses deeper nesting. Without a limit, a hostile name could build any number of nested objects.
const MAX_DEPTH = 8;

/** Decodes a form body or a query string as Stripe's clients write it, with brackets. */
export function decodeForm(text: string): Form {
  const root = emptyForm();
  for (const [name, value] of new URLSearchParams(text)) put(root, pathOf(name), name, value);
  return root;
}

/** Equal for two bodies with the same parameters, in whatever order. */
export function fingerprint(text: string): string {
  const pairs = [...new URLSearchParams(text)].map(([name, value]) => JSON.stringify([name, value]));
  return hash('sha256', pairs.sort().join('\n'));
}

function pathOf(name: string): string[] {
  const bracket = name.indexOf('[');
  if (bracket <= 0) return [name];
  if (!name.endsWith(']')) throw invalidRequest(`Invalid parameter name: ${name}`, { param: name });
  return [name.slice(0, bracket), ...name.slice(bracket + 1, -1).split('][')];
}

function put(root: Form, path: string[], name: string, value: string): void {
  if (path.length > MAX_DEPTH) throw invalidRequest(`Parameter nested too deep: ${name}`);
  let form = root;
  for (const [depth, part] of path.entries()) {
    const key = part === '' ? String(Object.keys(form).length) : part;
    const present = form[key];
    if (depth === path.length - 1) {
      if (typeof present === 'object') throw invalidRequest(`Invalid ${name}: it is also an object`, { param: name });
      form[key] = value;
    } else {
      if (typeof present === 'string') throw invalidRequest(`Invalid ${name}: it is also a string`, { param: name });
      const next = present ?? emptyForm();
      form[key] = next;
      form = next;
    }
  }
}

// No prototype, so that a parameter named __proto__ or constructor is only a parameter.
function emptyForm(): Form {
  return Object.create(null) as Form;
}
