// Trims texts as the box does, so that a text put together from events equals the one that the box
// keeps: by Unicode's White_Space, where `String.trim` has one character more and one less.

const WHITE_SPACE = /[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

/** Drops the white space before a text, and behind it if the text is finished: in a growing one it
    may belong to what follows. */
export function trimmed(text: string, isFinished: boolean): string {
  let start = 0;
  while (start < text.length && WHITE_SPACE.test(text.charAt(start))) start += 1;
  let end = text.length;
  while (isFinished && end > start && WHITE_SPACE.test(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}
