import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';

/** Which rules of S3 the store keeps. */
type Rules = { conditions: boolean; checksums: boolean; completeConditions: boolean };

/**
 * A stand-in for object stores that are not S3 in one point: it keeps bytes in memory, looks at no signature, and breaks
 * the rules that a test names. No store that can be installed here ignores a condition.
 */
export class StandInStore {
  readonly url: string;
  readonly rules: Rules;
  readonly objects = new Map<string, Buffer>();
  readonly #uploads = new Map<string, Buffer>();
  readonly #server: Server;

  private constructor(server: Server, rules: Partial<Rules>) {
    this.#server = server;
    this.rules = { conditions: true, checksums: true, completeConditions: true, ...rules };
    this.url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
    server.on('request', (asked, answer) => void this.#answer(asked, answer));
  }

  static async start(rules: Partial<Rules>): Promise<StandInStore> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new StandInStore(server, rules);
  }

  async #answer(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const body = await buffer(asked);
    const { pathname: path, searchParams: query } = new URL(asked.url ?? '/', this.url);
    const upload = query.get('uploadId');
    const say = (status: number, xml = '', headers: Record<string, string> = {}): void => {
      answer.writeHead(status, headers).end(asked.method === 'HEAD' ? undefined : xml);
    };
    const no = (status: number, code: string): void => say(status, `<Error><Code>${code}</Code></Error>`);
    const exists = this.objects.has(path) && asked.headers['if-none-match'] === '*';
    switch (`${asked.method}${upload === null ? '' : ' upload'}`) {
      case 'PUT': {
        const checksum = asked.headers['x-amz-checksum-sha256'];
        const wrong = checksum !== undefined && checksum !== createHash('sha256').update(body).digest('base64');
        if (wrong && this.rules.checksums) return no(400, 'BadDigest');
        if (exists && this.rules.conditions) return no(412, 'PreconditionFailed');
        this.objects.set(path, body);
        return say(200, '', { etag: '"e"' });
      }
      case 'HEAD':
        return say(this.objects.has(path) ? 200 : 404);
      case 'DELETE':
        this.objects.delete(path);
        return say(204);
      case 'GET': {
        const prefix = `${path.replace(/\/$/, '')}/${query.get('prefix') ?? ''}`;
        const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix));
        const contents = keys.map((key) => `<Contents><Key>${key.split('/').slice(2).join('/')}</Key></Contents>`);
        return say(200, `<ListBucketResult>${contents.join('')}</ListBucketResult>`);
      }
      case 'POST': {
        const id = randomUUID();
        this.#uploads.set(id, Buffer.alloc(0));
        return say(200, `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
      }
      case 'PUT upload':
        this.#uploads.set(upload ?? '', body);
        return say(200, '', { etag: '"p"' });
      case 'POST upload':
        if (exists && this.rules.completeConditions) return no(412, 'PreconditionFailed');
        this.objects.set(path, this.#uploads.get(upload ?? '') ?? Buffer.alloc(0));
        return say(200, '<CompleteMultipartUploadResult><ETag>"c"</ETag></CompleteMultipartUploadResult>');
      case 'GET upload':
        return say(200, '<ListPartsResult><Part><PartNumber>1</PartNumber></Part></ListPartsResult>');
      case 'DELETE upload':
        this.#uploads.delete(upload ?? '');
        return say(204);
    }
    return no(501, 'NotImplemented');
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
