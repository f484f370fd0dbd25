import { openJournal } from './journal.ts';

/** What the providers of mail and text messages have taken. */
interface TakenMessage {
  channel: 'mail' | 'sms';
  id: string;
  key: string;
  /** As it was sent. */
  body: unknown;
  at: string;
}

type Line = TakenMessage & { text: string };

/** A message under a key: new, the same again, or another one under the same key. */
type Taken = { kind: 'new' | 'again'; id: string } | { kind: 'other' };

/** Every message that was taken, on disk before its sender hears of it. A key counts for one message within its window. */
export class MessageBook {
  readonly #lines: Line[];
  readonly #journal: Awaited<ReturnType<typeof openJournal>>;

  private constructor(lines: Line[], journal: Awaited<ReturnType<typeof openJournal>>) {
    this.#lines = lines;
    this.#journal = journal;
  }

  static async open(directory: string, onLost: (error: Error) => never): Promise<MessageBook> {
    const lines: Line[] = [];
    const journal = await openJournal(directory, (line) => lines.push(line as Line), onLost);
    return new MessageBook(lines, journal);
  }

  /** @param now milliseconds by the sandbox's clock */
  async take(message: Omit<Line, 'at'>, now: number, windowMs: number): Promise<Taken> {
    const before = this.#lines.findLast(({ channel, key }) => channel === message.channel && key === message.key);
    const taken = this.#takenOrNew(message, before, now, windowMs);
    await this.#journal.durable();
    return taken;
  }

  #takenOrNew(message: Omit<Line, 'at'>, before: Line | undefined, now: number, windowMs: number): Taken {
    if (before !== undefined && now - Date.parse(before.at) < windowMs)
      return before.text === message.text ? { kind: 'again', id: before.id } : { kind: 'other' };
    const line = { ...message, at: new Date(now).toISOString() };
    this.#lines.push(line);
    this.#journal.append(line);
    return { kind: 'new', id: line.id };
  }

  /** All messages, or those of one channel or one key. */
  async list(query: URLSearchParams): Promise<TakenMessage[]> {
    await this.#journal.durable();
    const [of, by] = [query.get('channel'), query.get('key')];
    return this.#lines
      .filter(({ channel, key }) => (of === null || channel === of) && (by === null || key === by))
      .map(({ channel, id, key, body, at }) => ({ channel, id, key, body, at }));
  }

  async close(): Promise<void> {
    await this.#journal.close();
  }
}
