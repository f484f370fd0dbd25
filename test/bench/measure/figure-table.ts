import { type Figure, isMet } from './figure.ts';

const heads = ['', 'hapax', 'plain', 'value', 'target', ''];

/** The figures as a table of text. */
export function figureTable(figures: readonly Figure[]): string {
  const rows = [heads, ...figures.map(row)];
  const widths = heads.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)));
  return rows
    .map((cells) =>
      cells
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function row(figure: Figure): string[] {
  const { name, hapax, plain, value, unit, target } = figure;
  const met = isMet(figure);
  return [
    name,
    told(hapax, unit),
    told(plain, unit),
    // Of two sides the value is their ratio.
    told(value, hapax === undefined ? unit : '×'),
    target === undefined ? '' : 'atMost' in target ? `≤ ${target.atMost}` : `≥ ${target.atLeast}`,
    met === undefined ? '' : met ? 'met' : 'MISSED',
  ];
}

function told(value: number | undefined, unit: string): string {
  return value === undefined ? '' : `${rounded(value)} ${unit}`.trim();
}

function rounded(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2);
}
