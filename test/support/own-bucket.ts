import { mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Database } from '../../activities/stores/postgres/database.ts';
import type { Counts } from '../../activities/stores/postgres/sweeps/sweep-pass.ts';
import { BucketSweep } from '../../activities/sweep/sweep-bucket.ts';
import { days } from '../../workflows/operation/duration.ts';
import { hapax } from './hapax-command.ts';
import { Uploader } from './uploader.ts';
import { type Options, World } from './world.ts';

/** A world whose bucket's files can be reached behind the back of the store. */
export class OwnBucket {
  readonly world: World;
  readonly uploader: Uploader;
  readonly #directory: string;

  private constructor(world: World, uploader: Uploader, directory: string) {
    this.world = world;
    this.uploader = uploader;
    this.#directory = directory;
  }

  static async create(ground: World['ground'], options: Options = {}): Promise<OwnBucket> {
    const world = await World.create(ground, options);
    const bucket = world.env.S3_BUCKET as string;
    const own = new OwnBucket(world, await Uploader.of(world), join(ground.root, 's3', 'objects', bucket));
    // Its bucket knows it from now on, and it has stood for a year.
    await own.passed();
    await world.sql(`update hapax.ledger set born_at = now() - interval '1 year'`);
    return own;
  }

  /** A whole pass in this process, without the time that a command takes to start. @returns what it has found */
  async passed(): Promise<Counts> {
    const database = new Database(this.world.databaseUrl, 'hapax_upkeep', 2);
    try {
      const sweep = new BucketSweep({ database, objects: this.uploader.store });
      const how = { by: 'command', anew: true, pages: Number.POSITIVE_INFINITY, stopping: () => false } as const;
      const pass = await sweep.work(how);
      if (pass?.endedAt === undefined || pass.endedAt === null) throw new Error('The pass has not come to its end');
      return pass.counts;
    } finally {
      await database.close();
    }
  }

  /** `hapax sweep` on this world. @returns what it has printed, and its report where that is JSON */
  async sweep(...args: readonly string[]) {
    return await this.sweepAt(this.world.env.S3_ENDPOINT as string, ...args);
  }

  /** @param endpoint the way to the store, on which a test may let calls fail */
  async sweepAt(endpoint: string, ...args: readonly string[]) {
    const ran = await hapax({ ...this.world.env, S3_ENDPOINT: endpoint }, 'sweep', '-o', 'json', ...args);
    // oxlint-disable-next-line typescript/no-explicit-any -- tests look into it
    return { ...ran, report: (ran.out === '' ? undefined : JSON.parse(ran.out)) as any };
  }

  /** Puts something there that no row explains. @param age milliseconds since it was written, by the store's clock */
  async leave(key: string, age = days(2), bytes: Uint8Array = Buffer.from('left')): Promise<string> {
    const file = join(this.#directory, key);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, bytes);
    await this.age(key, age);
    return key;
  }

  /** What is there was written this long ago. */
  async age(key: string, age: number): Promise<void> {
    const at = new Date(Date.now() - age);
    await utimes(join(this.#directory, key), at, at);
  }

  /** All open multipart uploads were begun this long ago, by the store's clock. */
  async agePending(age: number): Promise<void> {
    const pending = join('.sgwtmp', 'multipart');
    for (const entry of await readdir(join(this.#directory, pending), { recursive: true }))
      await this.age(join(pending, entry), age);
  }

  /** Takes an object away, as a person or a rule of the bucket may. */
  async lose(key: string): Promise<void> {
    await rm(join(this.#directory, key));
  }

  async close(): Promise<void> {
    await this.uploader.close();
    await this.world.close();
  }
}
