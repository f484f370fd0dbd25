/** What `hapax/sdk` gives: actions of people and jobs, asked of the HTTP API carefully. See docs/client.md. */
export type { Action } from './action.ts';
export type { ActionOptions } from './action-options.ts';
export type { ActionState, EndState } from './action-state.ts';
export { type ActionStore, localStore, memoryStore } from './action-store.ts';
export { asksOf } from './asks-of.ts';
export { type ClientOptions, hapaxClient } from './client.ts';
export { EarlierActionOpen } from './earlier-action-open.ts';
export { english, type Words, wordsFor } from './words.ts';
