/** Durations are milliseconds everywhere; these say which unit a number was thought in. */
export const milliseconds = (n: number): number => n;
export const seconds = (n: number): number => n * 1_000;
export const minutes = (n: number): number => seconds(n * 60);
export const hours = (n: number): number => minutes(n * 60);
export const days = (n: number): number => hours(n * 24);

const units = [
  ['day', days(1)],
  ['hour', hours(1)],
  ['minute', minutes(1)],
  ['second', seconds(1)],
] as const;

/** For a person, in the largest unit that says it whole: `90 minutes`, `1 day`, `250 ms`. */
export function spoken(duration: number): string {
  const [name, unit] = units.find(([, size]) => duration !== 0 && duration % size === 0) ?? ['ms', 1];
  const count = duration / unit;
  return `${count} ${name}${name === 'ms' || count === 1 ? '' : 's'}`;
}
