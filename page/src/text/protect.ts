// Keeps formulas away from the Markdown lexer, which would eat their backslashes, underscores and
// asterisks: each becomes one character of private use, which the renderer turns back. The text
// must be clean (clean.ts), so that it holds no such character of its own.

import { scanMath, type Segment } from "./math.ts";

const FIRST = 0xe000;
/** Characters of private use; a text with more formulas is not rendered. */
const SEGMENTS_MAX = 0xf8ff - FIRST + 1;
const PLACEHOLDER = /[\uE000-\uF8FF]/;

export interface Protected {
  text: string;
  segments: Segment[];
  source: string;
}

/** Replaces the formulas of a text; null if there are too many. */
export function protect(source: string, isGrowing: boolean): Protected | null {
  const segments = scanMath(source, isGrowing);
  if (segments.length > SEGMENTS_MAX) return null;
  let text = "";
  let at = 0;
  segments.forEach(({ start, end }, i) => {
    text += source.slice(at, start) + String.fromCharCode(FIRST + i);
    at = end;
  });
  return { text: text + source.slice(at), segments, source };
}

export function hasPlaceholder(text: string): boolean {
  return PLACEHOLDER.test(text);
}

/** Splits a text of the lexer into plain text and formulas. */
export function parts(text: string, { segments }: Protected): (string | Segment)[] {
  if (!PLACEHOLDER.test(text)) return [text];
  const found: (string | Segment)[] = [];
  let plain = "";
  for (const sign of text) {
    const segment = PLACEHOLDER.test(sign) && segments[sign.charCodeAt(0) - FIRST];
    if (!segment) {
      plain += sign;
      continue;
    }
    if (plain) found.push(plain);
    plain = "";
    found.push(segment);
  }
  if (plain) found.push(plain);
  return found;
}

/** Returns a text of the lexer with the source of its formulas. */
export function restore(text: string, whole: Protected): string {
  const sources = parts(text, whole).map((part) =>
    typeof part === "string" ? part : whole.source.slice(part.start, part.end));
  return sources.join("");
}
