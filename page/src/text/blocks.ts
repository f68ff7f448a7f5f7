// Splits a growing Markdown text into blocks and tells which of them are finished: whatever comes
// now, they stay as they are. Decides by lines, cheaply, and never reads a finished block again.
// A block is a paragraph, a heading, a list, a quote, a table or a fence with what belongs to it;
// what it is in detail the lexer says.

import { displayEnd, openDisplay, scanMath } from "./math.ts";

export interface Block {
  start: number;
  end: number;
  isFence: boolean;
}

/** Longest block, as long as it can be cut at a line, an item or a space. */
const BLOCK_MAX = 8_000;
/** Longest block of all; tables are cut only here. */
const BLOCK_HARD_MAX = 16_000;
/** Longest displayed formula with blank lines in it that is waited for. */
const DISPLAY_MAX = 5_000;

const FENCE = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})/;
const NESTED_FENCE = /^[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(`{3,}(?=[^`]*$)|~{3,})/;
const HEADING = /^ {0,3}#{1,6}[ \t]/;
const ITEM = /^ {0,3}(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)/;
const TABLE_RULE = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t:|-]*)?$/;
/** A line that may still become the start of an item. */
const HALF_ITEM = /^ {0,3}(?:[-*+]|\d{0,9}[.)]?)$/;
const INDENTED = /^(?: {2}|\t)/;

interface Line { text: string; start: number; next: number; isWhole: boolean }

function lineAt(text: string, start: number): Line {
  const newline = text.indexOf("\n", start);
  const isWhole = newline !== -1;
  const end = isWhole ? newline : text.length;
  return { text: text.slice(start, end), start, next: isWhole ? newline + 1 : end, isWhole };
}

const isBlank = (line: string) => line.trim() === "";

export function isFenceStart(text: string, start: number): boolean {
  return FENCE.test(lineAt(text, start).text);
}

/** Returns the pattern of the line that closes a fence which `line` opens, or null. */
export function fenceCloser(line: string, pattern = NESTED_FENCE): RegExp | null {
  const ticks = pattern.exec(line)?.[1];
  return ticks ? new RegExp(`^[ \\t]*${ticks}${ticks.charAt(0)}*[ \\t]*$`) : null;
}

/** The splitter of one text. */
export class BlockSplitter {
  /** Where the block begins that is not finished. */
  openStart = 0;
  /** Up to where an open fence was searched for its end. */
  private searched = 0;

  /** Returns the blocks that are finished now and were not before. */
  advance(text: string, isComplete: boolean): Block[] {
    const blocks: Block[] = [];
    for (;;) {
      this.openStart = skipBlankLines(text, this.openStart);
      const start = this.openStart;
      if (isBlank(lineAt(text, start).text)) return blocks;
      const isFence = isFenceStart(text, start);
      const end = isFence
        ? this.fenceEnd(text, isComplete)
        : new Flow(text, start, isComplete).end();
      if (end === null) return blocks;
      blocks.push({ start, end, isFence });
      this.openStart = this.searched = end;
    }
  }

  /** Goes on from `start`, as if nothing after it had been read. */
  backTo(start: number): void {
    this.openStart = this.searched = start;
  }

  private fenceEnd(text: string, isComplete: boolean): number | null {
    const first = lineAt(text, this.openStart);
    const closer = fenceCloser(first.text, FENCE);
    let at = Math.max(first.next, this.searched);
    while (closer && at < text.length) {
      const line = lineAt(text, at);
      if (!line.isWhole && !isComplete) break;
      if (closer.test(line.text)) return line.next;
      at = line.next;
    }
    if (first.isWhole) this.searched = at;
    return isComplete ? text.length : null;
  }
}

/** Returns where the first line begins that is not blank, or the last line. */
function skipBlankLines(text: string, from: number): number {
  let at = from;
  for (;;) {
    const line = lineAt(text, at);
    if (!line.isWhole || !isBlank(line.text)) return at;
    at = line.next;
  }
}

/** Finds the end of a block other than a fence. */
class Flow {
  private readonly text: string;
  private readonly start: number;
  private readonly isComplete: boolean;
  private isList = false;
  private isTable = false;
  /** Closes the fence within an item in which the line is. */
  private closer: RegExp | null = null;
  /** The last place where a block that got too long can be cut without harm. */
  private cut: number;

  constructor(text: string, start: number, isComplete: boolean) {
    this.text = text;
    this.start = this.cut = start;
    this.isComplete = isComplete;
  }

  /** Returns where the block ends, or null while that cannot be told. */
  end(): number | null {
    let at = this.start;
    while (at < this.text.length) {
      const line = lineAt(this.text, at);
      const tooLong = this.cutBefore(line);
      if (tooLong !== null) return tooLong;
      const end = this.closer ? this.withinFence(line) : this.afterLine(line);
      if (end === "open") return this.isComplete ? this.text.length : null;
      if (end !== "more") return end;
      at = this.jump ?? line.next;
      this.jump = null;
    }
    return this.isComplete ? this.text.length : null;
  }

  /** Where to go on behind a formula with blank lines. */
  private jump: number | null = null;

  private withinFence(line: Line): "more" {
    if (this.closer?.test(line.text)) this.closer = null;
    return "more";
  }

  private afterLine(line: Line): number | "more" | "open" {
    const { text, start, next, isWhole } = line;
    if (isBlank(text)) return isWhole ? this.atBlankLine(line) : "open";
    const isOwn = start > this.start && !(this.isList && INDENTED.test(text));
    const isSure = isWhole || this.isComplete;
    if (isOwn && isSure && FENCE.test(text)) return start;
    if (HEADING.test(text)) {
      if (isOwn) return start;
      if (start === this.start) return isSure ? next : "open";
    }
    if (ITEM.test(text)) this.isList = true;
    if (this.isList && isWhole) this.closer = fenceCloser(text);
    if (start > this.start && TABLE_RULE.test(text) && text.includes("|")) {
      this.isTable = true;
      // A table's head is the line before.
      this.cut = this.text.lastIndexOf("\n", start - 2) + 1;
    }
    return "more";
  }

  private atBlankLine(line: Line): number | "more" | "open" {
    const opener = openDisplay(this.text.slice(this.start, line.start));
    if (opener !== -1) {
      const from = this.start + opener;
      const end = displayEnd(this.text.slice(0, from + DISPLAY_MAX), from);
      if (end !== -1) {
        this.jump = lineAt(this.text, end).next;
        return "more";
      }
      if (!this.isComplete && this.text.length < from + DISPLAY_MAX) return "open";
    }
    return this.isList ? this.afterItem(line) : line.next;
  }

  /** A list goes on after a blank line with another item, or with what is indented. */
  private afterItem(line: Line): number | "more" | "open" {
    const at = skipBlankLines(this.text, line.next);
    const next = lineAt(this.text, at);
    if (isBlank(next.text)) return "open";
    const isHalf = !next.isWhole && !this.isComplete && HALF_ITEM.test(next.text);
    if (isHalf) return "open";
    return INDENTED.test(next.text) || ITEM.test(next.text) ? "more" : line.next;
  }

  /** Returns where to cut the block if it would be too long with `line`. */
  private cutBefore(line: Line): number | null {
    const { start, text } = line;
    const isItem = ITEM.test(text);
    if (start > this.start && !this.closer && (isItem || !this.isList) && !this.isTable) {
      this.cut = start;
    }
    if (line.start + text.length - this.start <= BLOCK_MAX) return null;
    if (this.cut > this.start) return this.awayFromFormula(this.cut);
    if (this.isTable && start - this.start <= BLOCK_HARD_MAX) return null;
    return this.cutInLine(start);
  }

  /** Cuts where there is no good place: at the start of a line, at a space, anywhere. */
  private cutInLine(lineStart: number): number | null {
    const isLongLine = lineStart - this.start < BLOCK_MAX / 2;
    if (!isLongLine) return this.awayFromFormula(lineStart);
    const space = this.text.lastIndexOf(" ", this.start + BLOCK_MAX);
    if (space > Math.max(this.start, lineStart)) return this.awayFromFormula(space + 1);
    const most = this.start + BLOCK_HARD_MAX;
    if (this.text.length <= most) return null;
    const isPair = /[\uD800-\uDBFF]/.test(this.text.charAt(most - 1));
    return isPair ? most - 1 : most;
  }

  /** Returns `cut`, or the start of the formula that it would cut. */
  private awayFromFormula(cut: number): number {
    const formulas = scanMath(this.text.slice(this.start, this.start + BLOCK_HARD_MAX), true);
    const split = formulas.find(({ start, end }) =>
      this.start + start < cut && cut < this.start + end);
    return split && split.start > 0 ? this.start + split.start : cut;
  }
}
