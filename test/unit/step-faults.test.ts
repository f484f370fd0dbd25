import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { flows } from '../../workflows/flows.ts';
import type { StepDeclaration } from '../../workflows/operation/step-declaration.ts';
import { stepFaults } from '../../workflows/operation/step-faults.ts';

type Steps = Readonly<Record<string, StepDeclaration>>;

/** A row step: it takes the seat. */
const hold: StepDeclaration = {
  effect: 'transaction',
  says: 'Holding the seat',
  undo: 'own',
  refusable: true,
};
/** Money that can be given back. */
const pay: StepDeclaration = {
  effect: 'keyed',
  calls: 'payments',
  says: 'Taking the money',
  undo: 'own',
  refusable: true,
  placement: 'outside',
};
/** A ticket that an outside office prints, and never takes back. */
const ticket: StepDeclaration = {
  effect: 'keyed',
  calls: 'payments',
  says: 'Printing the ticket',
  undo: 'irreversible',
  refusable: true,
  placement: 'outside',
};
/** Bytes or a person: a wait may expire, so it can be refused. */
const wait = {
  effect: 'await',
  says: 'Waiting for the customer',
  undo: 'own',
  placement: 'outside',
  patience: 1_000,
  evidence: z.object({ reference: z.string() }),
  same: ['reference'],
  next: 'Confirm the payment.',
  expired: 'Nobody has confirmed the payment in time.',
} as const satisfies StepDeclaration;
const done: StepDeclaration = {
  effect: 'transaction',
  says: 'Confirming the booking',
  undo: 'nothing',
  refusable: false,
};

const { placement: _, ...unplaced } = pay;
const { calls: _calls, ...uncalled } = pay;

/** Milliseconds. */
const patience = 60_000;

const right: Readonly<Record<string, Steps>> = {
  'the last step that can be refused is the irreversible one': { hold, pay, ticket, done },
  'money is refunded where the ticket is refused': {
    hold,
    pay: { ...pay, uncancellable: true },
    ticket: { ...ticket, undo: 'own' },
    done,
  },
  'nothing can be refused behind what is irreversible': { hold, ticket, label: { ...pay, refusable: false }, done },
  'only what is optional can be refused behind it': {
    hold,
    ticket,
    picture: { ...pay, optional: { within: 1_000 } },
    done,
  },
  'the settling step is exempt': { hold, ticket, done: { ...done, refusable: true } },
  'a wait stands before it': { hold, wait, ticket, done },
  'an earlier undo covers a later step': { pay, confirm: { ...pay, undo: { coveredBy: 'pay' } }, done },
  'it is one row step': { done },
};

const wrong: readonly (readonly [what: string, steps: Steps, sentence: RegExp])[] = [
  [
    'a capture that is called irreversible stands before a ticket that can be refused',
    { hold, capture: { ...pay, undo: 'irreversible' }, ticket, done },
    /capture is irreversible and stands before ticket, which can still be refused.*a captured payment can be refunded/,
  ],
  [
    'a ticket is called a step with nothing to undo, so that a cancel would leave it issued',
    { hold, pay, ticket: { ...ticket, undo: 'nothing' }, done },
    /ticket acts on an outside system and says that there is nothing to undo.*'irreversible'/,
  ],
  [
    'two irreversible steps can be refused one after the other',
    { ticket, letter: ticket, done },
    /ticket is irreversible and stands before letter/,
  ],
  [
    'a wait stands behind what is irreversible',
    { hold, ticket, wait, done },
    /before wait, which can still be refused/,
  ],
  ['a row step can be refused behind it', { ticket, hold, done }, /before hold, which can still be refused/],
  [
    'a check can be refused behind it',
    { ticket, check: { ...wait, undo: 'nothing', placement: 'bytes' }, done },
    /before check, which can still be refused/,
  ],
  [
    'something irreversible is optional',
    { hold, ticket: { ...ticket, optional: { within: 1_000 } }, done },
    /ticket is optional and irreversible/,
  ],
  [
    'something uncancellable is optional',
    { pay: { ...pay, uncancellable: true, optional: { within: 1_000 } }, done },
    /pay is optional and uncancellable/,
  ],
  [
    'a step counts on an undo of a step that there is not',
    { pay: { ...pay, undo: { coveredBy: 'hold' } }, done },
    /pay counts on the undo of hold, and the flow has no such step: name one of pay, done/,
  ],
  [
    'a step counts on the undo of a step that has none',
    { check: { ...wait, undo: 'nothing' }, pay: { ...pay, undo: { coveredBy: 'check' } }, done },
    /pay counts on the undo of check, which has no undo of its own/,
  ],
  [
    'a step counts on the undo of what cannot be taken back',
    { ticket, label: { ...pay, refusable: false, undo: { coveredBy: 'ticket' } }, done },
    /label counts on the undo of ticket, which has no undo of its own/,
  ],
  [
    'a step counts on its own cover',
    { pay: { ...pay, undo: { coveredBy: 'pay' } }, done },
    /pay counts on the undo of pay, which has no undo/,
  ],
  [
    'a step counts on the undo of a later one',
    { hold: { ...hold, undo: { coveredBy: 'pay' } }, pay, done },
    /hold counts on the undo of pay, which comes later/,
  ],
  [
    'a step counts on the undo of an optional one',
    { hold: { ...hold, optional: { within: 1_000 } }, pay: { ...pay, undo: { coveredBy: 'hold' } }, done },
    /pay counts on the undo of hold, which is optional/,
  ],
  ['the last step is outside', { hold, pay }, /pay is the last one and no transaction/],
  [
    'the last step is optional',
    { hold, done: { ...done, optional: { within: 1_000 } } },
    /done is the last one and optional/,
  ],
  ['the last step has an undo', { done: { ...done, undo: 'own' } }, /done is the last one: it is committed together/],
  [
    'the last step is uncancellable',
    { done: { ...done, uncancellable: true } },
    /done is the last one: it is committed together/,
  ],
  ['the last step is irreversible', { done: { ...done, undo: 'irreversible' } }, /done is the last one/],
  [
    'a row step runs elsewhere than in the ledger',
    { hold: { ...hold, placement: 'outside' } as unknown as StepDeclaration, done },
    /hold writes rows of ours, which only the ledger commits/,
  ],
  [
    'a call of an outside system does not say of which',
    { pay: uncalled as StepDeclaration, done },
    /pay acts on an outside system and does not say which.*'calls'/,
  ],
  ['an outside call has no placement', { pay: unplaced as StepDeclaration, done }, /pay touches what is outside/],
  ['a step has no sound name', { 'pay it': pay, done }, /Step name booking.pay it must match/],
  ['there are no steps', {}, /has no steps/],
  ['a wait has no time', { wait: { ...wait, patience: 0 }, done }, /wait waits for 0 ms: nothing could ever arrive/],
  ['a wait cannot tell evidence apart', { wait: { ...wait, same: [] }, done }, /wait waits, and no field tells/],
  [
    'a wait compares what does not come',
    { wait: { ...wait, same: ['number'] }, done },
    /wait waits, and compares its evidence by number, which it does not have/,
  ],
  [
    'an optional step may use up all patience',
    { hold: { ...hold, optional: { within: patience } }, done },
    /hold is optional and asked for within 1 minute,.*Give it a shorter time/,
  ],
  [
    'a person may say that a row step is done',
    { hold: { ...hold, resolvedAs: z.object({}) } as unknown as StepDeclaration, done },
    /hold writes rows of ours: the ledger knows whether it is done/,
  ],
];

describe('a declaration', () => {
  it.each(Object.entries(right))('stands where %s', (_, steps) => {
    expect(stepFaults('booking', steps, patience)).toEqual([]);
  });

  it.each(wrong)('is refused where %s', (_, steps, sentence) => {
    const faults = stepFaults('booking', steps, patience);
    expect(faults.join('\n')).toMatch(sentence);
    for (const fault of faults) expect(fault).toContain('booking');
  });

  it.each(flows.map((flow) => [flow.name, flow] as const))(
    'of the flow %s stands',
    (name, { steps, patience: own }) => {
      expect(stepFaults(name, steps, own)).toEqual([]);
    },
  );
});
