import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Database } from '../../activities/stores/postgres/database.ts';
import { hashApiKey, writeApiKey } from '../../client/http/callers/api-key.ts';
import { ApiKeys } from '../../client/http/callers/api-keys.ts';

const key = writeApiKey('test', { prefix: Buffer.alloc(6, 1), secret: Buffer.alloc(32, 2) });
const caller = { tenant: 'alpha', environment: 'test', subject: 'shop', role: 'caller' } as const;

/** A ledger that has the key, and takes these times to say so, one after the other. Milliseconds. */
function ledgerThatTakes(...times: readonly number[]) {
  const left = [...times];
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const alone: Database['alone'] = async () => {
    now += left.shift() ?? expect.unreachable();
    return [{ ...caller, hash: hashApiKey(key), expires_in_ms: null, used_lately: true }];
  };
  return new ApiKeys({ alone } as unknown as Database, expect.unreachable);
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a look-up of an API key that is too old to be trusted when it is there', () => {
  it('is made once more: the first one may have waited for its connection', async () => {
    const keys = ledgerThatTakes(850, 5);
    expect(await keys.identify(key)).toEqual(caller);
    // Trusted from then on.
    expect(keys.identify(key)).toEqual(caller);
  });

  it('is given up after that: nobody can tell whether the key is valid', async () => {
    await expect(ledgerThatTakes(850, 850).identify(key)).rejects.toMatchObject({ code: 'unavailable' });
  });
});
