/** A comment of the database above what it is about. */
export function comment(says: string | null): string[] {
  return says === null ? [] : says.split('\n').map((line) => `-- ${line}`);
}

/** PostgreSQL's long way of saying things, in the words of the migrations. */
export function plain(sql: string): string {
  return sql
    .replaceAll(/timestamp with time zone/g, 'timestamptz')
    .replaceAll(/('(?:[^']|'')*')::text\b(?!\[)/g, '$1')
    .replaceAll(/= ANY \(ARRAY\[([^\]]*)\](?:::text\[\])?\)/g, 'in ($1)')
    .replaceAll(
      /\b(CHECK|UNIQUE|PRIMARY KEY|FOREIGN KEY|REFERENCES|ON DELETE CASCADE|IS NOT NULL|IS NULL)\b/g,
      (word) => word.toLowerCase(),
    )
    .replaceAll(/\b(AND|OR|NOT|THEN|ELSE|WHEN|CASE|END|IS DISTINCT FROM)\b/g, (word) => word.toLowerCase());
}
