import { describe, expect, it } from 'vitest';
import { ClaimTurns } from '../../client/gateway/claim-turns.ts';

describe('the turns of claims', () => {
  it('let twenty run at once and the others after them', async () => {
    const turns = new ClaimTurns();
    const ends: (() => void)[] = [];
    const all = Array.from({ length: 50 }, (_, n) =>
      turns.take(() => new Promise<number>((resolve) => ends.push(() => resolve(n)))),
    );
    await Promise.resolve();
    const running: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      running.push(ends.length);
      for (const end of ends.splice(0)) end();
    }
    expect(running).toEqual([20, 20, 10]);
    expect(await Promise.all(all)).toEqual(Array.from({ length: 50 }, (_, n) => n));
  });

  it('tell those that wait at once where twenty in a row have failed', async () => {
    const turns = new ClaimTurns();
    let begun = 0;
    const all = await Promise.allSettled(
      Array.from({ length: 400 }, () =>
        turns.take(async () => {
          begun += 1;
          await new Promise((resolve) => setTimeout(resolve, 20));
          throw new Error('away');
        }),
      ),
    );
    expect(begun).toBeLessThan(60);
    const codes = all.map((one) => (one.status === 'rejected' ? (one.reason as { code?: string }).code : 'done'));
    expect(codes.filter((code) => code === 'unavailable').length).toBeGreaterThan(300);
  });

  it('go on where one fails and others do not', async () => {
    const turns = new ClaimTurns();
    const all = await Promise.allSettled(
      Array.from({ length: 100 }, (_, n) =>
        turns.take(() => (n % 2 === 0 ? Promise.reject(new Error()) : Promise.resolve(n))),
      ),
    );
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(50);
  });
});
