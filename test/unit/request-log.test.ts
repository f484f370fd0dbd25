import { expect, it } from 'vitest';
import { requestLog } from '../../client/http/request-log.ts';
import { createLogger } from '../../workers/logger.ts';

function logged() {
  const lines: string[] = [];
  const root = createLogger('http', 'info', { write: (line) => void lines.push(line) });
  return { root, said: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

it('says of which request a line is, at each level that the process logs', () => {
  const { root, said } = logged();
  const log = requestLog(root, { reqId: 'req_1' });
  log.debug('too much');
  log.info({ path: '/' }, 'a request');
  log.warn('it is slow');
  log.error(new Error('it failed'));
  log.fatal('it ended all');
  expect(said().map(({ reqId, msg }) => [reqId, msg])).toEqual([
    ['req_1', 'a request'],
    ['req_1', 'it is slow'],
    ['req_1', 'it failed'],
    ['req_1', 'it ended all'],
  ]);
  expect(said()[0]).toMatchObject({ path: '/' });
  expect(log.level).toBe('info');
});

it('redacts what a request may not tell, and hands both names on to a child', () => {
  const { root, said } = logged();
  requestLog(root, { reqId: 'req_2' }).child({ part: 'body' }).warn({ token: 'sesame-open' }, 'refused');
  expect(said()).toEqual([expect.objectContaining({ reqId: 'req_2', part: 'body', token: '[redacted]' })]);
});
