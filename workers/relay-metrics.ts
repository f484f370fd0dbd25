import { Counter, Gauge } from '@prometheus-io/client';
import { registry } from './telemetry.ts';

/** Events, as the relay last counted them. */
export const events = new Gauge({
  name: 'hapax_events',
  help: 'Events that are not published, by state: due, or failed (a dead letter, behind which the later ones of its aggregate wait as due)',
  labelNames: ['state'],
  registers: [registry],
});

/** How far publishing is behind. */
export const lag = new Gauge({
  name: 'hapax_events_lag_seconds',
  help: 'Age of the oldest event that may be published and is not; those behind a dead letter do not count',
  registers: [registry],
});

/** Tries to publish. */
export const tries = new Counter({
  name: 'hapax_event_tries_total',
  help: 'Tries to publish an event, by what became of them: published, duplicate (the broker had it), refused (a dead letter) or unanswered (tried again)',
  labelNames: ['became'],
  registers: [registry],
});
