// Where the caret goes and what Delete takes, by whole characters, never half of one beyond U+FFFF.
// Pure.

/** The two halves of a character beyond U+FFFF. */
const PAIR = /^[\uD800-\uDBFF][\uDC00-\uDFFF]$/;

/** The start of the character before a position of a text. */
export function before(text: string, at: number): number {
  if (at <= 0) return 0;
  return at - (PAIR.test(text.slice(Math.max(0, at - 2), at)) ? 2 : 1);
}

/** The end of the character after a position of a text. */
export function after(text: string, at: number): number {
  if (at >= text.length) return text.length;
  return at + (PAIR.test(text.slice(at, at + 2)) ? 2 : 1);
}
