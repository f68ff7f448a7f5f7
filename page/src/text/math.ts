// Finds the formulas of a Markdown text: `$…$` by Pandoc's rule, `$$…$$`, `\(…\)`, `\[…\]`, and
// outside delimiters `\boxed{…}` and environments. Code spans and fences hold none. Knows nothing
// of Markdown besides, and does not look at what a formula says.

import { environmentEnd, groupEnd, type End, isTextCommand } from "./math-ends.ts";

export interface Segment {
  start: number;
  end: number;
  /** The formula with its delimiters, as if it stood in no list or quote. */
  source: string;
  /** The formula without its delimiters; the source of one that is not closed. */
  tex: string;
  isDisplay: boolean;
  /** Whether it is whole; one that is not waits as plain text up to `end`. */
  isClosed: boolean;
}

// Each may begin a formula, or something in which none can begin.
const MARK = /\\[\s\S]|\$\$?|`+|~{3,}/g;
const BOX = /\\(?:boxed|fbox)\s*\{/y;
const ENVIRONMENT = /\\begin\s*\{([A-Za-z]+\*?)\}/y;
/** Environments that KaTeX sets, and those that are set as one of them. */
const DISPLAYED = /^(?:equation|align|gather|alignat|multline|eqnarray|flalign|CD)\*?$/;
const INLINE = new RegExp("^(?:aligned|alignedat|gathered|split|d?array|subarray|d?r?cases"
  + "|(?:small|[pbBvV])?matrix\\*?)$");
/** What may stand before a formula or a fence that is first in its line. */
const LINE_START = /^[ \t]*(?:(?:>|[-*+]|\d{1,9}[.)])[ \t]*)*$/;
const MARGIN = /^[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*/;
const BLANK_LINE = /\n[ \t]*(?:>[ \t]*)*(?=\n)/g;
const BLANK_HERE = new RegExp(BLANK_LINE, "y");
/** A line that begins a block of its own, in which no inline formula goes on. */
const NEXT_BLOCK = /[ \t]*(?:[-*+][ \t]|\d{1,9}[.)][ \t]|#{1,6}[ \t]|>|\||```|~~~)/y;
const LINE_REST = /[ \t]*(?:\n|$)/y;
/** Text after a `$` that looks like the beginning of a formula. */
const LIKE_MATHS = /[\\^_{}=]/;
const WAITING_MAX = 1_000;
/** Longest code span whose end is waited for. */
const CODE_SPAN_MAX = 200;
const GROUP = /\{[^{}]*\}/g;
const COMMAND = /\\[A-Za-z]+/g;
const WORDS = /\*\*|[A-Za-z]{3,},? [A-Za-z]{2,}/;

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function paragraphEnd(text: string, from: number): number {
  return matchAt(BLANK_LINE, text, from)?.index ?? text.length;
}

function isLineStart(text: string, at: number): boolean {
  return LINE_START.test(text.slice(text.lastIndexOf("\n", at - 1) + 1, at));
}

/** Finds the end of what a `$` at `at` begins. */
function dollarEnd(text: string, at: number, isGrowing: boolean): End {
  const from = at + 1;
  if (from >= text.length || /\s/.test(text.charAt(from))) return "none";
  const isRow = /^[ \t]*\|/.test(text.slice(text.lastIndexOf("\n", at) + 1, at));
  const marks = /\\[\s\S]|[$`\n]| \| /g;
  for (let mark = matchAt(marks, text, from); mark; mark = marks.exec(text)) {
    const { 0: sign, index } = mark;
    if (sign === "$") {
      // A digit may follow, and then it ends nothing.
      if (isGrowing && index === text.length - 1) break;
      const isValid = index > from && !/\s/.test(text.charAt(index - 1))
        && !/\d/.test(text.charAt(index + 1)) && !isPrice(text.slice(from, index));
      return isValid ? { close: index, end: index + 1 } : "none";
    }
    if (sign === "`" || (sign === " | " && isRow)) return "none";
    if (sign === "\n" && endsParagraph(text, index)) return "none";
    if (sign.startsWith("\\") && isTextCommand(text, index)) {
      const end = groupEnd(text, text.indexOf("{", index) + 1);
      if (end === -1) break;
      marks.lastIndex = end;
    }
  }
  const rest = text.slice(from, from + WAITING_MAX + 1);
  return isGrowing && rest.length <= WAITING_MAX && LIKE_MATHS.test(rest) ? "open" : "none";
}

function isBlankAfter(text: string, newline: number): boolean {
  return matchAt(BLANK_HERE, text, newline) !== null;
}

/** Beyond Pandoc's rule: whether what stands between two dollars is an amount and words. */
function isPrice(content: string): boolean {
  const plain = content.replace(GROUP, "").replace(COMMAND, "+");
  return /^\d/.test(plain) && !LIKE_MATHS.test(plain) && WORDS.test(plain);
}

function endsParagraph(text: string, newline: number): boolean {
  return isBlankAfter(text, newline) || matchAt(NEXT_BLOCK, text, newline + 1) !== null;
}

/** Finds the end of what `opener` at `at` begins; `closer` ends it. */
function delimitedEnd(
  text: string, at: number, opener: string, closer: string, isGrowing: boolean,
): End {
  const from = at + opener.length;
  const isInline = closer === "\\)";
  // Over a blank line goes only what begins like a block.
  const isBlock = matchAt(LINE_REST, text, from) !== null;
  const marks = /\\[\s\S]|\$\$?|\n/g;
  for (let mark = matchAt(marks, text, from); mark; mark = marks.exec(text)) {
    const { 0: sign, index } = mark;
    if (sign === closer) {
      const isEmpty = text.slice(from, index).trim() === "";
      return isEmpty ? "none" : { close: index, end: index + closer.length };
    }
    if (sign === "\\(" || sign === "\\[") return "none";
    // The first half of the closer.
    if (isGrowing && sign === "$" && closer === "$$" && index === text.length - 1) break;
    if (sign.startsWith("$")) return "none";
    if (sign === "\n") {
      if (isInline ? endsParagraph(text, index) : !isBlock && isBlankAfter(text, index)) break;
    } else if (isTextCommand(text, index)) {
      const end = groupEnd(text, text.indexOf("{", index) + 1);
      if (end === -1) break;
      marks.lastIndex = end;
    }
  }
  return "open";
}

/** Returns where a code span or a fence that begins at `at` ends; after its ticks if it is none.
    In a growing text, a short rest of a line may still become a code span. */
function codeEnd(text: string, at: number, ticks: string, isGrowing: boolean): number {
  const after = at + ticks.length;
  const lineEnd = text.indexOf("\n", after);
  const info = text.slice(after, lineEnd === -1 ? text.length : lineEnd);
  const isTilde = ticks.startsWith("~");
  if (ticks.length >= 3 && (isTilde || !info.includes("`")) && isLineStart(text, at)) {
    const closing = new RegExp(`\\n[ \\t>]*${ticks}${ticks.charAt(0)}*[ \\t]*(?=\\n|$)`, "g");
    const close = matchAt(closing, text, after);
    return close ? close.index + close[0].length : text.length;
  }
  if (isTilde) return after;
  const runs = /`+/g;
  for (let run = matchAt(runs, text, after); run; run = runs.exec(text)) {
    if (run[0] === ticks) return run.index + ticks.length;
  }
  const mayClose = isGrowing && lineEnd === -1 && text.length - after <= CODE_SPAN_MAX;
  return mayClose ? text.length : after;
}

interface Opening { end: End; contentFrom: number; isDisplay: boolean; keepsSource: boolean }

/** Reads what begins at a mark: a formula, or nothing. */
function opening(text: string, at: number, sign: string, isGrowing: boolean): Opening | null {
  const found = (end: End, length: number, isDisplay: boolean, keepsSource = false): Opening => ({
    end, contentFrom: at + length, isDisplay, keepsSource,
  });
  if (sign === "$") return found(dollarEnd(text, at, isGrowing), 1, false);
  if (sign === "$$") return found(delimitedEnd(text, at, "$$", "$$", isGrowing), 2, true);
  if (sign === "\\(") return found(delimitedEnd(text, at, "\\(", "\\)", isGrowing), 2, false);
  if (sign === "\\[") return found(delimitedEnd(text, at, "\\[", "\\]", isGrowing), 2, true);
  const box = matchAt(BOX, text, at);
  if (box) {
    const to = paragraphEnd(text, at);
    const end = groupEnd(text.slice(0, to), at + box[0].length);
    return found(end === -1 ? "open" : { close: end, end }, 0, false, true);
  }
  const name = matchAt(ENVIRONMENT, text, at)?.[1];
  if (!name || !(DISPLAYED.test(name) || INLINE.test(name))) return null;
  const isDisplay = DISPLAYED.test(name) || isLineStart(text, at);
  return found(environmentEnd(text, at, name), 0, isDisplay, true);
}

/**
 * Finds the formulas of a text, in their order. `isGrowing`: more text may come, so that a `$`
 * without its end can still become a formula.
 */
export function scanMath(text: string, isGrowing: boolean): Segment[] {
  const segments: Segment[] = [];
  const marks = new RegExp(MARK);
  for (let mark = marks.exec(text); mark; mark = marks.exec(text)) {
    const { 0: sign, index: start } = mark;
    if (sign.startsWith("`") || sign.startsWith("~")) {
      marks.lastIndex = codeEnd(text, start, sign, isGrowing);
      continue;
    }
    const found = opening(text, start, sign, isGrowing);
    if (!found || found.end === "none") continue;
    const { end: ending, contentFrom, isDisplay, keepsSource } = found;
    const isClosed = ending !== "open";
    const end = isClosed ? ending.end : paragraphEnd(text, start);
    const outside = (from: number, to: number) => withoutMargin(text, start, text.slice(from, to));
    const source = outside(start, end);
    const tex = isClosed && !keepsSource ? outside(contentFrom, ending.close) : source;
    segments.push({ start, end, source, tex, isDisplay, isClosed });
    marks.lastIndex = end;
  }
  return segments;
}

/** Takes indentation and marks of a quote out of a part of a text that goes over lines. */
function withoutMargin(text: string, start: number, part: string): string {
  if (!part.includes("\n")) return part;
  const line = text.slice(text.lastIndexOf("\n", start - 1) + 1, start);
  if (/^[ \t]*>/.test(line)) return part.replace(/\n[ \t]*(?:>[ \t]?)+/g, "\n");
  const indent = MARGIN.exec(line)?.[0].length ?? 0;
  return indent > 0 ? part.replace(new RegExp(`\\n[ \\t]{1,${indent}}`, "g"), "\n") : part;
}

/** Returns where a displayed formula begins that a blank line at the end of `text` cuts, or -1. */
export function openDisplay(text: string): number {
  if (!/\$\$|\\\[|\\begin/.test(text)) return -1;
  const last = scanMath(text, false).pop();
  if (!last || last.isClosed || last.end < text.trimEnd().length) return -1;
  const isBlock = /^(?:\$\$|\\\[)[ \t]*(?:\n|$)|^\\begin/.test(text.slice(last.start));
  return isBlock ? last.start : -1;
}

/** Returns where the displayed formula at `at` ends, or -1 while its end has not come. */
export function displayEnd(text: string, at: number): number {
  const sign = text.slice(at, at + 2);
  const end = opening(text, at, sign, false)?.end;
  return end && end !== "open" && end !== "none" ? end.end : -1;
}
