import type { Form } from './form.ts';
import { invalidRequest } from './stripe-error.ts';

// Stripe, "Metadata": up to 50 keys, names up to 40 characters, values up to 500.
const METADATA_KEYS = 50;
const METADATA_NAME = 40;
const METADATA_VALUE = 500;

/** Reads the parameters of one request, and refuses invalid ones in Stripe's words. */
export class Parameters {
  readonly #form: Form;

  constructor(form: Form, known: readonly string[]) {
    this.#form = form;
    refuseUnknown(Object.keys(form), known);
  }

  string(name: string): string | undefined {
    const value = this.#form[name];
    if (value === undefined) return undefined;
    if (typeof value !== 'string') throw invalidRequest('Invalid string', { param: name });
    if (value === '') {
      throw invalidRequest(`You passed an empty string for '${name}'.`, {
        code: 'parameter_invalid_empty',
        param: name,
      });
    }
    return value;
  }

  /** Amounts and counts: at least `minimum`, by default 1. */
  integer(name: string, minimum = 1): number | undefined {
    const value = this.string(name);
    if (value === undefined) return undefined;
    const number = /^-?\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
    if (Number.isNaN(number)) {
      throw invalidRequest(`Invalid integer: ${value}`, { code: 'parameter_invalid_integer', param: name });
    }
    if (number < minimum) {
      throw invalidRequest(`This value must be greater than or equal to ${minimum}.`, {
        code: 'parameter_invalid_integer',
        param: name,
      });
    }
    return number;
  }

  boolean(name: string): boolean | undefined {
    return this.oneOf(name, ['true', 'false']) === undefined ? undefined : this.string(name) === 'true';
  }

  oneOf<const Value extends string>(name: string, values: readonly Value[]): Value | undefined {
    const value = this.string(name);
    if (value === undefined) return undefined;
    const found = values.find((candidate) => candidate === value);
    if (found === undefined)
      throw invalidRequest(`Invalid ${name}: must be one of ${values.join(', ')}`, { param: name });
    return found;
  }

  /** An empty value unsets the key, as in Stripe's updates. */
  metadata(): Record<string, string> {
    const form = this.#form.metadata ?? {};
    if (typeof form === 'string') {
      if (form === '') return {};
      throw invalidRequest('Invalid object', { param: 'metadata' });
    }
    const entries = Object.entries(form);
    if (entries.length > METADATA_KEYS) {
      throw invalidRequest(`You can have at most ${METADATA_KEYS} metadata keys.`, { param: 'metadata' });
    }
    for (const [name, value] of entries) {
      const param = `metadata[${name}]`;
      if (typeof value !== 'string') throw invalidRequest('Metadata values must be strings.', { param });
      if (name.length > METADATA_NAME) throw invalidRequest('Metadata keys can have up to 40 characters.', { param });
      if (value.length > METADATA_VALUE)
        throw invalidRequest('Metadata values can have up to 500 characters.', { param });
    }
    return Object.fromEntries(entries) as Record<string, string>;
  }
}

/** Refuses a request without a required parameter. */
export function required<Value>(value: Value | undefined, name: string): Value {
  if (value !== undefined) return value;
  throw invalidRequest(`Missing required param: ${name}.`, { code: 'parameter_missing', param: name });
}

// Stripe, changelog of 2026-09-30.endive: a payment says which methods it allows.
const REMOVED = new Map([['payment_method_types', 'payment_method_types_no_longer_supported']]);

/** Refuses parameters that Stripe does not know, or that this sandbox does not model, instead of ignoring them. */
export function refuseUnknown(names: Iterable<string>, known: readonly string[]): void {
  for (const name of names) {
    if (!known.includes(name)) {
      const removed = REMOVED.get(name);
      if (removed !== undefined)
        throw invalidRequest(`${name} is no longer supported in this API version.`, { code: removed, param: name });
      throw invalidRequest(`Received unknown parameter: ${name}`, { code: 'parameter_unknown', param: name });
    }
  }
}
