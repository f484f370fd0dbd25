/** What `hapax/dedup` gives: "once for each id", without the engine. See docs/dedup.md. */
export { contentKey } from '../../workflows/operation/key.ts';
export { brokerLayer } from './broker-layer.ts';
export { FinalError } from './final-error.ts';
export type { ConnectedLayer, Layer } from './layer.ts';
export { memoryLayer } from './memory-layer.ts';
export { type OnceOptions, once, type Running } from './once.ts';
export { postgresLayer } from './postgres-layer.ts';
export { redisLayer } from './redis-layer.ts';
export { StillRunning } from './still-running.ts';
