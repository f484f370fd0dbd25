import type { Admission } from '../../gateway/admission.ts';
import type { Check } from './readiness.ts';

/**
 * Whether new operations are accepted. The process stays ready while some are refused, because it still answers
 * everything else.
 */
export function admissionCheck({ inHand, limit, capacity, refusing }: Admission['state']): Check {
  const seen = `${inHand} operations are in hand, ${limit} may be, and workers finish about ${Math.round(capacity)} a second`;
  return refusing
    ? {
        name: 'admission',
        state: 'degraded',
        says: `New operations are refused as overloaded: ${seen}. Check that workers are running, or start more of them.`,
      }
    : { name: 'admission', state: 'holds', says: `New operations are accepted: ${seen}.` };
}
