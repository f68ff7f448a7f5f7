// A question in one line, for the folded form: its beginning, with formulas as plain characters,
// because a line that is cut anywhere cannot hold typeset ones. Pure.

import { plainMath } from "../job/plain-math.ts";
import { formulas } from "./formulas.ts";

/** Longest beginning that is shown, in characters: wider than any line. */
const LINE_CHARS_MAX = 300;

/** Returns the beginning of a question as one line of plain text. */
export function oneLine(question: string): string {
  const begin = question.slice(0, 2 * LINE_CHARS_MAX);
  let line = "";
  let at = 0;
  for (const { start, end } of formulas(begin)) {
    line += begin.slice(at, start) + plainMath(begin.slice(start, end));
    at = end;
  }
  line = (line + begin.slice(at)).replace(/\s+/g, " ").trim();
  const isCut = question.length > begin.length || line.length > LINE_CHARS_MAX;
  return isCut ? `${line.slice(0, LINE_CHARS_MAX)}…` : line;
}
