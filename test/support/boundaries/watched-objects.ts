import type { S3Client } from '@aws-sdk/client-s3';
import type { ObjectStore } from '../../../activities/stores/s3/object-store.ts';
import type { Reach } from './harm-at.ts';

/** The object store with a boundary before and after each call: `{Command}:before-effect`, `{Command}:after-effect`. */
export function watchedObjects(objects: ObjectStore, reach: Reach): ObjectStore {
  return { ...objects, client: watched(objects.client, reach), streaming: watched(objects.streaming, reach) };
}

function watched(client: S3Client, reach: Reach): S3Client {
  type Send = (command: object, ...more: unknown[]) => Promise<unknown>;
  const send: Send = async (command, ...more) => {
    const name = command.constructor.name.replace(/Command$/, '');
    await reach(`${name}:before-effect`);
    try {
      return await (client.send as Send).call(client, command, ...more);
    } finally {
      await reach(`${name}:after-effect`);
    }
  };
  return new Proxy(client, {
    get: (target, member) => (member === 'send' ? send : (Reflect.get(target, member, target) as unknown)),
  });
}
