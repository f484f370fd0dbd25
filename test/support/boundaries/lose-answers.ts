import { channel } from 'node:diagnostics_channel';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { doing } from './doing.ts';

/**
 * From now on this process loses answers on their way in, where a plan says so: the outside has had the request and has
 * done its work. Clients speak HTTP by `node:http` or by `fetch`, whatever the outside system is.
 */
export function loseAnswers(faults: { lost(operation: string, step: string): void }): void {
  channel('http.client.request.created').subscribe((message) => {
    const about = doing.getStore();
    if (about?.loses !== true) return;
    const { request } = message as { readonly request: ClientRequest };
    const emit = request.emit.bind(request) as (event: string, ...given: unknown[]) => boolean;
    request.emit = (event: string, ...given: unknown[]): boolean => {
      if (event !== 'response') return emit(event, ...given);
      faults.lost(about.operation, about.name);
      (given[0] as IncomingMessage).on('error', () => undefined);
      request.destroy();
      return emit('error', Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' }));
    };
  });
  const whole = globalThis.fetch;
  globalThis.fetch = async (...asked) => {
    const response = await whole(...asked);
    const about = doing.getStore();
    if (about?.loses !== true) return response;
    faults.lost(about.operation, about.name);
    await response.body?.cancel();
    throw new TypeError('fetch failed: the answer was lost');
  };
}
