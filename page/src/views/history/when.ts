// When something was asked, as short as it stays clear: today the time, this year the day as well.
// Without `dateStyle`, which Firefox 78 does not know.

const TIME: Intl.DateTimeFormatOptions = { hour: "numeric", minute: "2-digit" };
const DAY: Intl.DateTimeFormatOptions = { ...TIME, month: "short", day: "numeric" };
const YEAR: Intl.DateTimeFormatOptions = { ...DAY, year: "numeric" };

/** Formats are slow to make and are needed for each line of a list. */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(language: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${language} ${Object.keys(options).length}`;
  const format = formats.get(key) ?? new Intl.DateTimeFormat(language, options);
  formats.set(key, format);
  return format;
}

/** Words a time, in seconds since 1970, as seen at `now`. */
export function shortTime(seconds: number, language: string, now = new Date()): string {
  const time = new Date(1_000 * seconds);
  const isThisYear = time.getFullYear() === now.getFullYear();
  const isToday = time.toDateString() === now.toDateString();
  return formatOf(language, isToday ? TIME : isThisYear ? DAY : YEAR).format(time);
}

/** Words a time in full, for a file that is read at any later time. */
export function fullTime(seconds: number, language: string): string {
  return formatOf(language, YEAR).format(new Date(1_000 * seconds));
}
