import { z } from 'zod';

export const assetParams = z.object({
  id: z.string().regex(/^ast_[0-9a-z]{26}$/, "give an asset's id: ast_ and 26 characters"),
});
