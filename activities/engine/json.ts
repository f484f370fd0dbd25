/** What survives being kept as JSON unchanged. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [member: string]: Json };
