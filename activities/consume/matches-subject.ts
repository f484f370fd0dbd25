/** Whether a subject fits a pattern of NATS: `*` stands for one token, `>` for all that follow. */
export function matchesSubject(pattern: string, subject: string): boolean {
  const tokens = subject.split('.');
  const wanted = pattern.split('.');
  if (wanted.at(-1) === '>') return tokens.length >= wanted.length && fits(wanted.slice(0, -1), tokens);
  return tokens.length === wanted.length && fits(wanted, tokens);
}

function fits(wanted: readonly string[], tokens: readonly string[]): boolean {
  return wanted.every((token, n) => token === '*' || token === tokens[n]);
}
