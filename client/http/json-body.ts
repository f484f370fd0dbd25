import { gunzipSync } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { HttpProblem } from './http-problem.ts';
import { strictJson } from './strict-json.ts';

/** A cart of 100 items takes 10 KB. Bytes, before and after decompression. */
export const jsonLimit = 64 * 1024;

/** Reads JSON bodies, plain or gzipped, bounded and strictly. */
export function acceptJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer', bodyLimit: jsonLimit }, (request, body, done) => {
    try {
      done(null, strictJson(decoded(body as Buffer, request.headers['content-encoding'])));
    } catch (error) {
      done(error as Error);
    }
  });
}

function decoded(body: Buffer, encoding = 'identity'): string {
  let plain = body;
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
      {
        header: 'Content-Encoding',
      },
    );
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(plain);
  } catch {
    throw new HttpProblem('body-malformed', 'The body is not valid UTF-8.');
  }
}
