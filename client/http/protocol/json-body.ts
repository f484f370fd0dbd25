import { gunzipSync } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { HttpProblem } from '../problems/http-problem.ts';
import { formType, readForm } from './form-body.ts';
import { strictJson } from './strict-json.ts';

/** A cart of 100 items takes 10 KB. Bytes, before and after decompression. */
export const jsonLimit = 64 * 1024;

const json = 'application/json';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** A request without a body counts as one with an empty object. */
    bodyless?: boolean;
  }
}

/** Keeps no state between bodies: each is decoded as a whole. */
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Reads JSON bodies, and forms where a route takes them: plain or gzipped, bounded in size, and strictly. */
export function acceptJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addHook('preValidation', (request, _reply, next) => {
    if (request.body !== undefined) return next();
    if (request.routeOptions.config.bodyless === true) {
      request.body = {};
      return next();
    }
    next(new HttpProblem('body-malformed', `The request has no body: send a JSON object as ${json}.`));
  });
  app.addContentTypeParser('*', (request, _body, done) => done(notJson(request.headers['content-type'])));
  app.addContentTypeParser(json, { parseAs: 'buffer', bodyLimit: jsonLimit }, (request, body, done) => {
    // Many clients name a type for no bytes.
    if (body.length === 0 && request.routeOptions.config.bodyless === true) return done(null, {});
    try {
      done(null, strictJson(decoded(body as Buffer, request.headers['content-encoding'])));
    } catch (error) {
      done(error as Error);
    }
  });
  app.addContentTypeParser(formType, { parseAs: 'buffer', bodyLimit: jsonLimit }, (request, body, done) => {
    if (request.routeOptions.config.form === undefined) return done(notJson(request.headers['content-type']));
    try {
      done(null, readForm(decoded(body as Buffer, request.headers['content-encoding']), request));
    } catch (error) {
      done(error as Error);
    }
  });
}

function notJson(type: string | undefined): HttpProblem {
  const actual = type?.slice(0, 100);
  const said = actual === undefined ? 'The body has no Content-Type' : `The Content-Type says ${actual}`;
  return new HttpProblem('media-type-unsupported', `${said}: send JSON, as ${json}.`, {
    header: 'Content-Type',
    expected: json,
    ...(actual === undefined ? {} : { actual }),
  });
}

function decoded(body: Buffer, sent = 'identity'): string {
  let plain = body;
  // "All content codings are case-insensitive" (RFC 9110, 8.4.1).
  const encoding = sent.toLowerCase();
  if (encoding === 'gzip') {
    try {
      plain = gunzipSync(body, { maxOutputLength: jsonLimit });
    } catch (error) {
      if ((error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE')
        throw new HttpProblem('body-too-large', `The body has more than ${jsonLimit} bytes when decompressed.`);
      throw new HttpProblem('body-malformed', 'The body is not valid gzip, as Content-Encoding says.');
    }
  } else if (encoding !== 'identity') {
    throw new HttpProblem(
      'media-type-unsupported',
      `Content-Encoding ${encoding} is not supported: send gzip or none.`,
      { header: 'Content-Encoding', expected: 'gzip', actual: encoding.slice(0, 100) },
    );
  }
  try {
    return utf8.decode(plain);
  } catch {
    throw new HttpProblem('body-malformed', 'The body is not valid UTF-8.');
  }
}
