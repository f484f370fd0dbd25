/** A comment of the database above what it is about. */
export function comment(says: string | null): string[] {
  return says === null ? [] : says.split('\n').map((line) => `-- ${line}`);
}

/** PostgreSQL's long way of saying things, in the words of the migrations. */
export function plain(sql: string): string {
  return sql
    .replaceAll('timestamp with time zone', 'timestamptz')
    .replaceAll(/('(?:[^']|'')*')::(text|name)\b(?!\[)/g, '$1')
    .replaceAll(/(= ANY|<> ALL) \(ARRAY\[([^\]]*)\](?:::\w+\[\])?\)/g, (_, operator: string, list: string) =>
      operator === '= ANY' ? `in (${list})` : `not in (${list})`,
    )
    .replaceAll(words, (word) => word.toLowerCase());
}

const words =
  /\b(CHECK|UNIQUE|PRIMARY KEY|FOREIGN KEY|REFERENCES|ON DELETE CASCADE|IS|NULL|AND|OR|NOT|THEN|ELSE|WHEN|CASE|END|DISTINCT|FROM|CURRENT_USER|SELECT|WHERE|JOIN|ON|EXISTS|AS)\b/g;

/** Longer lines are hard to read side by side. */
const longest = 120;
/** Where something new begins, and, where nothing does, inside a list. */
const seams = [/ (?=(?:for each row|when|execute|using|with check|where|and|or|--) )/g, / (?=')/g];

/** Breaks long lines where something new begins. */
export function wrapped(text: string): string {
  return text
    .split('\n')
    .flatMap((line) => {
      const lines = [line];
      for (let last = line; last.length > longest; last = lines.at(-1) as string) {
        const at = seamOf(last);
        if (at === undefined) break;
        lines.splice(-1, 1, last.slice(0, at), `    ${last.slice(at + 1)}`);
      }
      return lines;
    })
    .join('\n');
}

function seamOf(line: string): number | undefined {
  for (const seam of seams) {
    const fitting = [...line.matchAll(seam)]
      .map(({ index }) => index)
      .filter((index) => index <= longest && line.slice(0, index).trim() !== '');
    if (fitting.length > 0) return fitting.at(-1);
  }
  return undefined;
}
