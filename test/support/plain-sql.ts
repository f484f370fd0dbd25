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

/** Breaks long lines before a word that begins something new. */
export function wrapped(text: string): string {
  return text
    .split('\n')
    .flatMap((line) => {
      const lines = [line];
      for (let last = line; last.length > longest; last = lines.at(-1) as string) {
        const breaks = [...last.matchAll(/ (?=(?:for each row|when|execute|using|with check|where|and|or|--) |')/g)]
          .map(({ index }) => index)
          .filter((index) => index <= longest && last.slice(0, index).trim() !== '');
        const at = breaks.at(-1);
        if (at === undefined) break;
        lines.splice(-1, 1, last.slice(0, at), `    ${last.slice(at + 1)}`);
      }
      return lines;
    })
    .join('\n');
}
