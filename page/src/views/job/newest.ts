// The newest sentence of a thinking that grows, for the one line that shows it. The line begins at
// a sentence, so that it stands still while the sentence grows, instead of running like a ticker.

import { plainMath } from "./plain-math.ts";

/** What is looked at: the line is asked for ten times a second. */
const TAIL_CHARS = 600;
/** A shorter line is shown whole. */
const LINE_CHARS = 80;
/** A sentence that has just begun says too little: until here the one before is shown with it. */
const BEGUN_CHARS = 16;
const SENTENCE_END = /[.!?:]["')\]]?\s+|[。！？；]/g;

/** Returns the newest line or sentence of a text, plain and without marks of Markdown. */
export function newestLine(text: string): string {
  const tail = text.slice(-TAIL_CHARS);
  const lines = tail.split("\n").map(plain).filter((line) => line !== "");
  const line = lines[lines.length - 1] ?? "";
  if (line.length <= LINE_CHARS) return line;
  let start = 0;
  for (const found of line.matchAll(SENTENCE_END)) {
    const next = (found.index ?? 0) + found[0].length;
    if (line.length - next >= BEGUN_CHARS) start = next;
  }
  return line.slice(start);
}

/** Drops a formula that is not complete yet: half a command would show as raw TeX. */
function withoutOpenFormula(line: string): string {
  const dollars = line.split("$");
  const closed = dollars.length % 2 === 0 ? dollars.slice(0, -1).join("$") : line;
  const open = Math.max(closed.lastIndexOf("\\("), closed.lastIndexOf("\\["));
  const close = Math.max(closed.lastIndexOf("\\)"), closed.lastIndexOf("\\]"));
  return open > close ? closed.slice(0, open) : closed;
}

function plain(line: string): string {
  const bare = line.replace(/^\s*(?:#{1,6}\s+|>\s*|[-*+]\s+|`{3,}.*$|~{3,}.*$|-{3,}$)/, "");
  return plainMath(withoutOpenFormula(bare).replace(/\*\*|__|`/g, ""));
}
