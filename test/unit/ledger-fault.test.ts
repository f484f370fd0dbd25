import { expect, it } from 'vitest';
import { ledgerFault } from '../../activities/stores/postgres/ledger-fault.ts';

const failed = (code: string | undefined) => Object.assign(new Error('It failed'), code === undefined ? {} : { code });

it.each([undefined, 'EPIPE', 'ECONNRESET', 'ECONNREFUSED'])(
  'a connection that breaks says nothing of the statement: %s',
  (code) => {
    expect(ledgerFault(failed(code))).toMatchObject({ code: 'unavailable' });
  },
);

it.each([
  ['25P03', 'unavailable'],
  ['57P01', 'unavailable'],
  ['42601', 'broken'],
  ['XX000', 'broken'],
  ['23505', 'constraint'],
  ['HX001', 'fenced'],
])('PostgreSQL itself says what is wrong: %s is %s', (code, is) => {
  expect(ledgerFault(failed(code))).toMatchObject({ code: is });
});
