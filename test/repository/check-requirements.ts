import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const repository = new URL('../../', import.meta.url);
const document = 'docs/requirements.md';

/** As many as docs/requirements.md began with: a requirement may be split or added, never lost. */
export const knownRequirements = 135;

type Verdict = { faults: string[]; shown: number; pending: number };

/**
 * Judges each row `| requirement | shown by |`, where the right cell is `not yet`, or tests separated by semicolons,
 * each a path in backticks and, if wanted, a part of the test's name in double quotes.
 */
export function judgeRequirements(markdown: string, read: (path: string) => string | undefined): Verdict {
  const verdict: Verdict = { faults: [], shown: 0, pending: 0 };
  const seen = new Set<string>();
  for (const [index, line] of markdown.split('\n').entries()) {
    if (!line.startsWith('|') || /^\|\s*(-+|requirement)\s*\|/.test(line)) continue;
    const [requirement, evidence, ...rest] = line.slice(1, line.lastIndexOf('|')).split('|');
    const faults =
      rest.length > 0 || !requirement?.trim() || evidence === undefined
        ? ['is not a row of two cells']
        : faultsOf(evidence.trim(), read);
    const name = `${document}:${index + 1} "${requirement?.trim()}"`;
    if (seen.has(requirement ?? '')) faults.push('stands there twice');
    seen.add(requirement ?? '');
    verdict.faults.push(...faults.map((fault) => `${name} ${fault}`));
    if (evidence?.trim() === 'not yet') verdict.pending += 1;
    else verdict.shown += 1;
  }
  const rows = verdict.shown + verdict.pending;
  if (rows < knownRequirements)
    verdict.faults.push(`${document} has ${rows} requirements, and had ${knownRequirements}: none may be lost`);
  return verdict;
}

function faultsOf(evidence: string, read: (path: string) => string | undefined): string[] {
  if (evidence === 'not yet') return [];
  const tests = [...evidence.matchAll(/`(?<path>[^`]+)`(?:\s*"(?<name>[^"]+)")?/g)];
  const besides = evidence.replaceAll(/`[^`]+`(\s*"[^"]+")?/g, '').replaceAll(/[;\s]/g, '');
  if (tests.length === 0 || besides !== '') return ['names neither `not yet` nor tests as `path` "part of the name"'];
  return tests.flatMap(({ groups }) => {
    const path = groups?.path ?? '';
    const text = /^test\/.+\.test\.ts$/.test(path) ? read(path) : undefined;
    if (text === undefined) return [`names ${path}, which is no test file`];
    return groups?.name && !text.includes(groups.name) ? [`names "${groups.name}", which ${path} does not hold`] : [];
  });
}

function report(): void {
  const read = (path: string) => readFileSync(new URL(path, repository), 'utf8');
  const readIfThere = (path: string) => (existsSync(new URL(path, repository)) ? read(path) : undefined);
  const { faults, shown, pending } = judgeRequirements(read(document), readIfThere);
  for (const fault of faults) console.error(fault);
  console.log(`requirements: ${shown} shown by a test, ${pending} not yet, ${faults.length} at fault`);
  if (faults.length > 0) process.exitCode = 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) report();
