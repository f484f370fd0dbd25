import { createServer } from 'node:http';
import { S3Store } from '@tus/s3-store';
import { Server } from '@tus/server';

/** `@tus/server` on the same S3, as its own documentation sets it up. */
const { S3_ENDPOINT = '', S3_ACCESS_KEY_ID = '', S3_SECRET_ACCESS_KEY = '', PORT = '' } = process.env;
const datastore = new S3Store({
  partSize: 8 * 1024 * 1024,
  s3ClientConfig: {
    bucket: 'peer',
    region: 'us-east-1',
    endpoint: S3_ENDPOINT,
    forcePathStyle: true,
    credentials: { accessKeyId: S3_ACCESS_KEY_ID, secretAccessKey: S3_SECRET_ACCESS_KEY },
  },
});
const server = new Server({ path: '/v1/tus', datastore });
createServer((request, response) => {
  if (request.url === '/healthz') response.end('ok');
  else void server.handle(request, response);
}).listen(Number(PORT), '127.0.0.1');
