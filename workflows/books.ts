import type { BooksSteps } from '../activities/books.ts';
import { booksFlow } from './books.flow.ts';
import { operation } from './engine/operation.ts';
import { finish, step } from './engine/step.ts';

/** Events may come in any order, and late. So it is asked how things are, and that is booked. */
export const books = operation<typeof booksFlow, BooksSteps>(booksFlow, async (story) => {
  const { facts } = await step(story, 'look', story.request);
  await finish(story, 'record', { facts }, { facts: facts.length });
});
