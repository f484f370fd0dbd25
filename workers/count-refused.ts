import { ApplicationFailure } from '@temporalio/common';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import type { Refusal } from '../workflows/operation/outcome.ts';
import { countIntegrity } from './telemetry.ts';

/** Counts what a step has found wrong with bytes. A step that is refused is not tried again. */
export const countRefused: ActivityInterceptorsFactory = () => ({
  inbound: {
    async execute(input, next) {
      try {
        return await next(input);
      } catch (error) {
        if (error instanceof ApplicationFailure && error.type === 'refused')
          countIntegrity(error.details?.[0] as Refusal);
        throw error;
      }
    },
  },
});
