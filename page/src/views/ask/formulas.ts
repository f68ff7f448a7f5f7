// Formulas in what is being typed: whether a preview is worth showing, and whether the caret stands
// inside one. The rules are those of src/text/math.ts.

import { type Segment, scanMath } from "../../text/math.ts";

/** Longest text around the caret that is looked at, each way, in characters. */
const AROUND_MAX = 2_000;

/** Returns the complete formulas of a text, in order, with their delimiters. */
export function formulas(text: string): Segment[] {
  return scanMath(text, false).filter(({ isClosed }) => isClosed);
}

/** Tells whether the caret stands between the delimiters of a formula. */
export function isInFormula(text: string, caret: number): boolean {
  // The formula that was just inserted, still empty: `$|$`.
  if (text[caret - 1] === "$" && text[caret] === "$") return true;
  // Formulas end at the latest with their paragraph, so that a pasted book need not be searched.
  const before = text.slice(Math.max(0, caret - AROUND_MAX), caret);
  const start = caret - before.length + Math.max(0, before.lastIndexOf("\n\n"));
  const part = text.slice(start, caret + AROUND_MAX);
  return scanMath(part, false).some(
    (range) => start + range.start < caret && caret < start + range.end,
  );
}
