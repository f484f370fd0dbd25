export type Cart = {
  readonly cartId: string;
  readonly items: readonly { readonly sku: string; readonly quantity: number }[];
  readonly paymentMethod: string;
  readonly email?: string;
};

export type Amount = { readonly minor: number; readonly currency: string };
