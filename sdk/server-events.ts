/** One event of a stream of server-sent events, as far as a client of ours reads it. */
export type ServerEvent = { readonly id: string | undefined; readonly event: string; readonly data: string };

/**
 * Reads server-sent events (HTML standard, 9.2.6) from the bytes of an answer. It ends with the stream, and does not throw: a stream that
 * was cut off has ended too.
 * @param next the next bytes; undefined at the end
 */
export async function* serverEvents(next: () => Promise<Uint8Array | undefined>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let text = '';
  for (;;) {
    const bytes = await next().catch(() => undefined);
    // What follows the last blank line is no event: the stream was cut off in it.
    if (bytes === undefined) return;
    const blocks = (text + decoder.decode(bytes, { stream: true })).split(/\r?\n\r?\n/);
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const event = eventOf(block);
      if (event.data !== '') yield event;
    }
  }
}

function eventOf(block: string): ServerEvent {
  const fields = new Map<string, string>();
  for (const line of block.split(/\r?\n/)) {
    const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
    const before = name === 'data' ? fields.get(name) : undefined;
    // A line that begins with a colon is a comment: a heartbeat.
    if (name !== '') fields.set(name, before === undefined ? value : `${before}\n${value}`);
  }
  return { id: fields.get('id'), event: fields.get('event') ?? 'message', data: fields.get('data') ?? '' };
}
