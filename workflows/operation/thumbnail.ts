import { z } from 'zod';

/** One of the pictures that are made of a picture. */
export const thumbnail = z.object({
  key: z.string(),
  type: z.string(),
  width: z.int(),
  height: z.int(),
  size: z.int(),
});
