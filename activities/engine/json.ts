/** A value that JSON keeps unchanged. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [member: string]: Json };
