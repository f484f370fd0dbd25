import { type ClientsOf, outsideSystem } from '../../../activities/outside/outside-system.ts';
import { usualProtection } from '../../../activities/outside/protection.ts';
import { setting } from '../../../activities/outside/setting.ts';

import { unhurried } from '../../support/unhurried-protection.ts';

type LetterShop = { readonly url: string; readonly token: string };

/** A system that prints and posts letters. It honours keys, and takes back what has not been collected. */
const letterShop = outsideSystem({
  called: 'the letter shop',
  settings: {
    LETTER_SHOP_URL: setting.required('address of the letter shop'),
    LETTER_SHOP_TOKEN: setting.required('token of the letter shop'),
  },
  protection: { ...usualProtection, ...unhurried },
  connect: async ({ LETTER_SHOP_URL, LETTER_SHOP_TOKEN }): Promise<LetterShop> => ({
    url: LETTER_SHOP_URL,
    token: LETTER_SHOP_TOKEN,
  }),
  own: {
    givenBy: ['LETTER_SHOP_URL'],
    address: 'LETTER_SHOP_URL',
    otherwise: 'https://letters.example',
    answers: (address) => fetch(address, { method: 'HEAD' }),
  },
  fake: {
    name: 'letter-shop',
    called: 'the fake letter shop',
    script: 'test/flows/letter/fake-letter-shop.ts',
    port: { LETTER_SHOP_PORT: setting.port(12_112) },
    settings: (address) => ({ LETTER_SHOP_URL: address, LETTER_SHOP_TOKEN: 'letters' }),
  },
});

/** What only tests call. */
export const ownSystems = { letterShop } as const;
export type OwnClients = ClientsOf<typeof ownSystems>;
