import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { freePorts } from '../../workers/local/free-port.ts';

type Ran = { code: number; output: string };
type Container = {
  Id: string;
  Name: string;
  RestartCount: number;
  State: { Pid: number; Health?: { Status: string } };
};

/** A stack of docker-compose.yml with a project name, an image tag and ports of its own. */
export class ComposeStack {
  readonly #id: string;
  readonly project: string;
  readonly image: string;
  environment: Record<string, string>;

  private constructor(id: string, environment: Record<string, string>) {
    this.#id = id;
    this.project = `hapax-test-${id}`;
    this.image = `hapax:test-${id}`;
    this.environment = environment;
  }

  static async create(): Promise<ComposeStack> {
    const id = randomBytes(4).toString('hex');
    const names = ['HTTP', 'TEMPORAL', 'TEMPORAL_UI', 'S3', 'SANDBOX', 'SMTP', 'MAIL_UI', 'NATS'];
    const ports = await freePorts(names.length);
    const environment = Object.fromEntries(names.map((name, index) => [`HAPAX_${name}_PORT`, String(ports[index])]));
    return new ComposeStack(id, { ...environment, HAPAX_TAG: `test-${id}` });
  }

  /** The same stack, asked with other settings. */
  with(settings: Record<string, string>): ComposeStack {
    return new ComposeStack(this.#id, { ...this.environment, ...settings });
  }

  url(port: 'HTTP' | 'SANDBOX'): string {
    return `http://127.0.0.1:${this.environment[`HAPAX_${port}_PORT`]}`;
  }

  compose(...args: string[]): Promise<Ran> {
    return this.docker('compose', '--project-name', this.project, ...args);
  }

  /** Runs a shell inside a service's container, as its own user. */
  inside(service: string, script: string): Promise<Ran> {
    return this.compose('exec', '-T', service, 'sh', '-c', script);
  }

  async container(service: string): Promise<Container> {
    const { output: id } = await this.compose('ps', '--all', '--quiet', service);
    return (await this.inspect<Container>(id.trim())) ?? Promise.reject(new Error(`no container of ${service}`));
  }

  async inspect<Thing>(name: string): Promise<Thing | undefined> {
    const { code, output } = await this.docker('inspect', name);
    return code === 0 ? (JSON.parse(output) as Thing[])[0] : undefined;
  }

  /** Kills the first process of a container, and with it all others. `docker kill` would forbid the restart. */
  async sigkill(service: string): Promise<void> {
    const { Id, RestartCount, State } = await this.container(service);
    const kill = ['run', '--rm', '--pid=host', '--user=0', '--entrypoint=sh', this.image, '-c', `kill -9 ${State.Pid}`];
    const { code, output } = await this.docker(...kill);
    if (code !== 0) throw new Error(`${service} could not be killed: ${output}`);
    await this.until(`${service} is back`, async () => {
      const now = await this.inspect<Container>(Id);
      return now !== undefined && now.RestartCount > RestartCount && now.State.Health?.Status === 'healthy';
    });
  }

  async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + 180_000;
    while (!(await holds())) {
      if (Date.now() > deadline) throw new Error(`Not after three minutes: ${what}`);
      await pause(500);
    }
  }

  async remove(): Promise<void> {
    await this.compose('down', '--volumes', '--remove-orphans');
    await this.docker('image', 'rm', '--force', this.image);
  }

  docker(...args: string[]): Promise<Ran> {
    // Only what compose itself needs, so that a developer's own settings change nothing.
    const { PATH, HOME, DOCKER_HOST, DOCKER_CONFIG, DOCKER_CONTEXT } = process.env;
    const env = { PATH, HOME, DOCKER_HOST, DOCKER_CONFIG, DOCKER_CONTEXT, ...this.environment };
    return new Promise((resolve) => {
      execFile('docker', args, { env, maxBuffer: 1 << 26 }, (fault, stdout, stderr) => {
        const code = fault === null ? 0 : typeof fault.code === 'number' ? fault.code : 1;
        resolve({ code, output: code === 0 && args[0] !== 'compose' ? stdout : stdout + (code === 0 ? '' : stderr) });
      });
    });
  }
}
