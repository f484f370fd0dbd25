import { hash } from 'node:crypto';

/** A link that confirms an address. */
export type SignupLink = {
  readonly token: string;
  /** The token as the outbox keeps it. */
  readonly sealed: string;
  /** How long it works. Milliseconds. */
  readonly lives: number;
};

/** As the functions of the ledger take it: sealed for its mail, and its hash to find it by. */
export function linkValues({ token, sealed, lives }: SignupLink): readonly [string, Buffer, number] {
  return [sealed, tokenHash(token), lives];
}

/** What the ledger knows a token by. */
export function tokenHash(token: string): Buffer {
  return hash('sha256', token, 'buffer');
}
