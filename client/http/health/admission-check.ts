import type { Admission } from '../../gateway/admission.ts';
import type { Check } from './readiness.ts';

/** Whether new operations are begun: while some are refused the process stays ready, since all else is answered. */
export function admissionCheck({ inHand, limit, capacity, refusing }: Admission['state']): Check {
  const seen = `${inHand} operations are in hand, ${limit} may be, and workers end about ${Math.round(capacity)} a second`;
  return refusing
    ? {
        name: 'admission',
        state: 'degraded',
        says: `New operations are refused as overloaded: ${seen}. See that workers run, or start more of them.`,
      }
    : { name: 'admission', state: 'holds', says: `New operations begin: ${seen}.` };
}
