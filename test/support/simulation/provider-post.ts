import { booksFlow } from '../../../workflows/books.flow.ts';
import { minutes, seconds } from '../../../workflows/operation/duration.ts';
import type { Callers } from './callers.ts';
import type { ProviderNews } from './provider-news.ts';
import type { NewsFault } from './simulated-history.ts';
import type { VirtualTime } from './virtual-time.ts';

/** News is on its way for up to this long, so that later news may come first. Milliseconds. */
const usual = seconds(2);
const late = minutes(5);

/** Brings the provider's news to us: lost, twice, late and in any order. */
export class ProviderPost {
  readonly #time: VirtualTime;
  readonly #callers: Callers;
  readonly #faults: readonly NewsFault[];
  readonly #sent: ProviderNews[] = [];
  #underWay = 0;

  constructor(time: VirtualTime, callers: Callers, faults: readonly NewsFault[]) {
    this.#time = time;
    this.#callers = callers;
    this.#faults = faults;
  }

  /** News that is still to come. */
  get underWay(): number {
    return this.#underWay;
  }

  send(news: ProviderNews): void {
    this.#sent.push(news);
    const does = this.#faults.find(({ nth }) => nth === this.#sent.length)?.does;
    if (does === 'is lost') return;
    this.#bring(news, does === 'comes late' ? late : usual);
    if (does === 'comes twice') this.#bring(news, late);
  }

  /** Somebody has one in the middle sent again. */
  sendAgain(): void {
    const news = this.#sent[Math.floor(this.#sent.length / 2)];
    if (news !== undefined) this.#bring(news, usual);
  }

  #bring(news: ProviderNews, within: number): void {
    this.#underWay += 1;
    this.#time.spawn(async () => {
      await this.#time.sleep(this.#time.random() * within);
      if (news.kind === 'money has moved') await this.#callers.tell(booksFlow, news.id, { payment: news.payment });
      else await this.#callers.bankDecided(news.operation, news.payment);
      this.#underWay -= 1;
    });
  }
}
