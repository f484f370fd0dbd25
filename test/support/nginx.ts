import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type Keeper, startKeeper } from '../../workers/local/keeper.ts';
import { freePorts } from '../../workers/local/free-port.ts';
import { systemBinary } from './system-binary.ts';

/** undefined where this machine has no nginx; in CI it always has. */
export const nginxBinary = systemBinary('nginx', 'nginx-light');

/** Ends what a test run leaves that was killed itself. */
let keeper: Keeper | undefined;

/** How the proxy speaks to the door; `proxy_pass` alone means HTTP/1.0 and a connection for each request. */
export type NginxHabit = { readonly upstream: 'stock' | 'keep-alive'; readonly buffersRequests: boolean };

/** A real nginx in front of a door, with nothing set but what its operators do set. */
export class Nginx {
  readonly url: string;
  readonly #stop: () => Promise<void>;

  private constructor(url: string, stop: () => Promise<void>) {
    this.url = url;
    this.#stop = stop;
  }

  /** @param scratch where its configuration, its log and the bodies that it buffers may lie */
  static async to(door: string, { upstream, buffersRequests }: NginxHabit, scratch: string): Promise<Nginx> {
    if (nginxBinary === undefined) throw new Error('There is no nginx on this machine');
    const [port = 0] = await freePorts(1);
    await mkdir(scratch, { recursive: true });
    const directory = await mkdtemp(join(scratch, 'nginx-'));
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    const configuration = `
      daemon off;
      master_process off;
      pid ${directory}/nginx.pid;
      error_log stderr error;
      events {}
      http {
        access_log off;
        client_max_body_size 100m;
        ${temporary.map((name) => `${name}_temp_path ${directory}/${name};`).join('\n        ')}
        upstream door { server ${new URL(door).host}; ${upstream === 'keep-alive' ? 'keepalive 8;' : ''} }
        server {
          listen 127.0.0.1:${port};
          location / {
            proxy_pass http://door;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            ${upstream === 'keep-alive' ? 'proxy_http_version 1.1; proxy_set_header Connection "";' : ''}
            ${buffersRequests ? '' : 'proxy_request_buffering off;'}
          }
        }
      }`;
    await writeFile(join(directory, 'nginx.conf'), configuration);
    const child = spawn(nginxBinary, ['-p', directory, '-e', 'stderr', '-c', join(directory, 'nginx.conf')], {
      stdio: ['ignore', 'ignore', 'inherit'],
      // A process group of its own, as the keeper ends it.
      detached: true,
    });
    keeper ??= startKeeper();
    if (child.pid !== undefined) keeper.watch(child.pid, 'SIGKILL');
    const gone = once(child, 'exit');
    await Promise.race([listening(port), gone.then(([code]) => Promise.reject(new Error(`nginx ended with ${code}`)))]);
    return new Nginx(`http://127.0.0.1:${port}`, async () => {
      child.kill('SIGTERM');
      await gone;
      keeper?.forget(child.pid as number);
      await rm(directory, { recursive: true });
    });
  }

  async close(): Promise<void> {
    await this.#stop();
  }
}

async function listening(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const heard = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (heard) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
