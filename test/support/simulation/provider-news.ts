/** What has happened at the provider, for those who listen. */
export type ProviderNews = {
  readonly id: string;
  readonly kind: 'the bank has decided' | 'money has moved';
  readonly payment: string;
  readonly operation: string;
};
