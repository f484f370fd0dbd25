import { HttpProblem } from '../problems/http-problem.ts';

/** Deeper than any request of ours, shallower than what makes a recursive reader fail. */
const deepest = 32;

/**
 * Parses JSON that can be read in one way only: no member twice, no `__proto__`, no NUL and no lone surrogate (which
 * PostgreSQL cannot store), bounded depth.
 * @throws HttpProblem body-malformed
 */
export function strictJson(text: string): unknown {
  scan(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // V8 quotes the text around the fault, which may be a secret, so only the fault itself is shown.
    const [fault = ''] = (error as Error).message.split(/, (?:\.\.\.)?"| is not valid JSON/);
    throw new HttpProblem('body-malformed', `The body is not valid JSON: ${fault}.`);
  }
  return value;
}

type Frame = { readonly members: Set<string> | undefined; expectsName: boolean };

/** One pass over the tokens. Anything that is not JSON is left to JSON.parse, whose message is better. */
function scan(text: string): void {
  const frames: Frame[] = [];
  for (let at = 0; at < text.length; at += 1) {
    const token = text.charAt(at);
    const frame = frames.at(-1);
    if (token === '{' || token === '[') {
      if (frames.length === deepest)
        throw new HttpProblem('body-malformed', `The body is nested deeper than ${deepest} levels.`);
      frames.push({ members: token === '{' ? new Set() : undefined, expectsName: token === '{' });
    } else if (token === '}' || token === ']') {
      frames.pop();
    } else if (token === ',' && frame !== undefined) {
      frame.expectsName = frame.members !== undefined;
    } else if (token === '"') {
      const end = stringEnd(text, at);
      const value = checked(text.slice(at, end + 1));
      if (frame?.members !== undefined && frame.expectsName) name(frame.members, value);
      if (frame !== undefined) frame.expectsName = false;
      at = end;
    }
  }
}

function stringEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at;
  }
  return text.length - 1;
}

/** A complete string without escapes. */
const whole = /^"[^"\\]*"$/;

function checked(literal: string): string {
  // Most strings have no escapes. A bare NUL is not JSON, and JSON.parse refuses it.
  if (whole.test(literal) && literal.isWellFormed()) return literal.slice(1, -1);
  let value: string;
  try {
    value = JSON.parse(literal) as string;
  } catch {
    return literal;
  }
  if (value.includes('\0')) throw new HttpProblem('body-malformed', 'A string in the body contains a NUL character.');
  if (!value.isWellFormed())
    throw new HttpProblem(
      'body-malformed',
      'A string in the body contains half of a surrogate pair: it is not Unicode.',
    );
  return value;
}

function name(members: Set<string>, value: string): void {
  if (value === '__proto__') throw new HttpProblem('body-malformed', 'The member "__proto__" is not allowed.');
  if (members.has(value))
    throw new HttpProblem(
      'body-malformed',
      `The member "${value.slice(0, 100)}" appears twice in one object: send it once.`,
    );
  members.add(value);
}
