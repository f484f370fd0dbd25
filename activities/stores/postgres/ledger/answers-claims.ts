import { claim } from './claim.ts';
import type { Database } from '../database.ts';

/** No operation has this name, since a tenant's name is never empty. */
const nobody = { tenant: '', environment: 'test', subject: '', flow: '', key: '' } as const;

/** Whether PostgreSQL can decide claims now: it answers, and its schema has the function that this build calls. */
export async function answersClaims(database: Database): Promise<boolean> {
  const asked = {
    id: '',
    scope: nobody,
    subject: '',
    generation: 1,
    flowVersion: 0,
    fingerprint: '',
    fingerprintVersion: 0,
    request: {},
    requestId: '',
    state: 'claimed',
    deadline: null,
    insert: false,
  } as const;
  return await claim(database, asked).then(
    () => true,
    () => false,
  );
}
