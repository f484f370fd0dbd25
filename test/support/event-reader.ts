/** A server-sent event, as its reader gets it. */
type SentEvent = {
  readonly id: string;
  readonly event: string;
  readonly data: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into bodies of every form
  readonly json: any;
};

/** Follows an operation as a client does that knows nothing but the HTML standard's format of an event stream. */
export class EventReader {
  readonly response: Response;
  readonly events: SentEvent[] = [];
  /** What is no event, such as comments. */
  readonly others: string[] = [];
  /** Resolves when the server has ended the stream as HTTP has it; rejects when the connection broke. */
  readonly ended: Promise<void>;
  readonly #leave: AbortController;

  private constructor(response: Response, leave: AbortController) {
    this.response = response;
    this.#leave = leave;
    this.ended = this.#read();
    this.ended.catch(() => undefined);
  }

  static async open(url: string, headers: Readonly<Record<string, string>> = {}): Promise<EventReader> {
    const leave = new AbortController();
    return new EventReader(await fetch(url, { headers, signal: leave.signal }), leave);
  }

  async #read(): Promise<void> {
    let held = '';
    const text = this.response.body?.pipeThrough(new TextDecoderStream());
    for await (const chunk of text ?? []) {
      held += chunk;
      const blocks = held.split('\n\n');
      held = blocks.pop() ?? '';
      for (const block of blocks) this.#take(block);
    }
  }

  #take(block: string): void {
    const fields = new Map(block.split('\n').map((line) => [line.split(':')[0] ?? '', line.replace(/^\w*: ?/, '')]));
    const data = fields.get('data');
    if (data === undefined) this.others.push(block);
    else
      this.events.push({ id: fields.get('id') ?? '', event: fields.get('event') ?? '', data, json: JSON.parse(data) });
  }

  leave(): void {
    this.#leave.abort();
  }
}
