/** What Stripe puts under `error` in an answer. */
export interface StripeErrorBody {
  type: 'invalid_request_error' | 'card_error' | 'idempotency_error' | 'api_error' | 'rate_limit_error';
  message: string;
  code?: string;
  decline_code?: string;
  param?: string;
  [detail: string]: unknown;
}

/** A refusal in Stripe's words. If it is thrown before the execution, no answer is stored. */
export class StripeError extends Error {
  readonly status: number;
  readonly body: StripeErrorBody;

  constructor(status: number, body: StripeErrorBody) {
    super(body.message);
    this.status = status;
    this.body = body;
  }
}

export function invalidRequest(message: string, detail: { code?: string; param?: string } = {}): StripeError {
  return new StripeError(400, { type: 'invalid_request_error', message, ...detail });
}

export function missingResource(kind: string, id: string, param: string): StripeError {
  // Stripe: 404 when the object is the one in the path, 400 when it is only named by a parameter.
  const status = param === 'intent' || param === 'id' ? 404 : 400;
  return new StripeError(status, {
    type: 'invalid_request_error',
    code: 'resource_missing',
    message: `No such ${kind}: '${id}'`,
    param,
  });
}

export function unauthorized(): StripeError {
  return new StripeError(401, {
    type: 'invalid_request_error',
    message: 'You did not provide an API key. Send your secret key: Authorization: Bearer sk_test_…',
  });
}

export function unknownUrl(method: string, path: string): StripeError {
  return new StripeError(404, {
    type: 'invalid_request_error',
    message: `Unrecognized request URL (${method}: ${path}).`,
  });
}

export function tooManyRequests(): StripeError {
  return new StripeError(429, {
    type: 'rate_limit_error',
    code: 'rate_limit',
    message: 'Too many requests. Wait, then send the same request again.',
  });
}

export function serverFailure(): StripeError {
  return new StripeError(500, {
    type: 'api_error',
    message: 'An error occurred on our end, and what happened to this request is unknown.',
  });
}

export function keyInUse(key: string | null): StripeError {
  return new StripeError(409, {
    type: 'idempotency_error',
    code: 'idempotency_key_in_use',
    message: `There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through): ${key ?? ''}. Please try again later.`,
  });
}

export function keyUsedOtherwise(key: string, difference: string): StripeError {
  return new StripeError(400, {
    type: 'idempotency_error',
    message: `Keys for idempotent requests can only be used ${difference}. Try using a key other than '${key}' if you meant to execute a different request.`,
  });
}
