import { z } from 'zod';

const whole = (what: string, least: number, fallback: number, most?: number) => {
  const error = `give ${what}, a whole number from ${least} ${most === undefined ? 'on' : `to ${most}`}`;
  const number = z.coerce.number({ error }).int({ error }).min(least, { error });
  return (most === undefined ? number : number.max(most, { error })).default(fallback);
};

function isAddress(text: string): boolean {
  const { protocol, username, password } = URL.parse(text) ?? {};
  return (protocol === 'http:' || protocol === 'https:') && username === '' && password === '';
}

/**
 * The schemas of settings. Each error continues the sentence that names the variable, and tells a person what to give.
 *
 * @example
 * { SHOP_URL: setting.required('address of the shop'), SHOP_PORT: setting.port(12_112) }
 */
export const setting = {
  /** A number with a default. */
  whole,
  /** 0 takes any free port. */
  port: (fallback: number) => whole('a port', 0, fallback, 65_535),
  /** Text that has no default. */
  required: (what: string) => z.string({ error: `give the ${what}` }).min(1, `give the ${what}`),
  /** An address of HTTP that may be missing. Credentials have a setting of their own, where no log shows them. */
  address: (what: string) =>
    z.string().refine(isAddress, `give the address of ${what}, with http or https and without credentials`).optional(),
  /** Text that may be missing. */
  optional: () => z.string().optional(),
} as const;
