// A pupil's lines and a reviewer's remarks on them. Lines are sent numbered ("Line 1: …"); the
// reviewer is told to cite "Line N" (第N行 in Chinese), and a remark that does stands next to its
// line. Pure text to text: nothing here knows how remarks are shown.

export interface StudentLine { number: number; text: string }

/** A review taken apart: Markdown by the number of the line it is about, and the rest. */
export interface Remarks { byLine: ReadonlyMap<number, string>; below: string }

const NUMBERED = /^Line (\d{1,3}): ?(.*)$/;
const NUMERALS = "一二三四五六七八九十";
// Also with marks of Markdown between: **Line** 2.
const ENGLISH = "\\blines?[\\s*_]{1,4}(\\d{1,3})\\b";
// Also a range, which stands next to its first line: 第2至3行.
const CHINESE = `第\\s*(\\d{1,3}|[${NUMERALS}])\\s*(?:[-–~、和至到]\\s*[\\d${NUMERALS}]{1,3}\\s*)?行`;
const CITATION = new RegExp(`${ENGLISH}|${CHINESE}`, "i");
/** An unfinished block shorter than this may still come to cite a line. */
const UNDECIDED_CHARS = 60;

/** Returns a pupil's work as it is sent: each line with its number, without blank ones. */
export function numberLines(work: string): string {
  const lines = work.split(/\r\n|\r|\n/).map((line, index) => ({ number: index + 1, line }));
  const written = lines.filter(({ line }) => line.trim() !== "");
  return written.map(({ number, line }) => `Line ${number}: ${line.trim()}`).join("\n");
}

/** Returns the lines of a pupil's work, whether it was sent numbered or not. */
export function studentLines(work: string): StudentLine[] {
  const lines = work.trim().split("\n");
  if (!NUMBERED.test(lines[0] ?? "")) {
    const all = lines.map((text, index) => ({ number: index + 1, text: text.trim() }));
    return all.filter(({ text }) => text !== "");
  }
  const found: StudentLine[] = [];
  for (const line of lines) {
    const [, number, text] = NUMBERED.exec(line) ?? [];
    const last = found[found.length - 1];
    if (number !== undefined) found.push({ number: Number(number), text: text ?? "" });
    else if (last) last.text += `\n${line}`;
  }
  return found;
}

/** Takes a review apart. Each block (paragraph, list item) that cites a line of the pupil's stands
    next to the first it cites; a heading, or a block that is nothing but a citation, takes the
    blocks under it along. While text still comes, a short last block is held back. */
export function parseRemarks(
  review: string,
  numbers: readonly number[],
  isComplete: boolean,
): Remarks {
  const byLine = new Map<number, string>();
  let below = "";
  let claimed: number | null = null;
  const blocks = blocksOf(review);
  blocks.forEach((block, index) => {
    const { kind, source, hasGap } = block;
    const cited = citationOf(source, numbers);
    const isOpen = !isComplete && index === blocks.length - 1;
    if (isOpen && cited === null && claimed === null && source.length < UNDECIDED_CHARS) return;
    if (kind === "heading" || cited !== null) claimed = isTitle(block) ? cited : null;
    const line = cited ?? claimed;
    // A title that only names the line would repeat the number it stands next to.
    if (line !== null && isTitle(block) && cited !== null && isBare(source)) return;
    if (line === null) below += below && (hasGap ? "\n\n" : "\n");
    if (line === null) below += source;
    else byLine.set(line, joined(byLine.get(line), withoutMarker(block)));
  });
  return { byLine, below };
}

interface Block { kind: "heading" | "item" | "text"; source: string; hasGap: boolean }

const HEADING = /^ {0,3}#{1,6}\s/;
const ITEM = /^ {0,3}(?:[-*+]|\d{1,3}[.)])\s+/;
const FENCE = /^\s*(`{3,}|~{3,})/;

/** Splits Markdown at blank lines, headings and top-level list items, never inside a fence or a
    displayed formula. */
function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  let [hasGap, close]: [boolean, RegExp | null] = [false, null];
  for (const line of text.split("\n")) {
    const last = blocks[blocks.length - 1];
    const continues = last !== undefined && belongs(line, last, hasGap);
    if (close === null && line.trim() === "") {
      hasGap = true;
      continue;
    }
    if (last && (close !== null || continues)) {
      last.source += hasGap && close === null ? `\n\n${line}` : `\n${line}`;
    } else {
      const kind = HEADING.test(line) ? "heading" : ITEM.test(line) ? "item" : "text";
      blocks.push({ kind, source: line, hasGap });
    }
    hasGap = false;
    close = close === null ? closerOf(line) : close.test(line) ? null : close;
  }
  return blocks;
}

function belongs(line: string, last: Block, hasGap: boolean): boolean {
  if (HEADING.test(line) || last.kind === "heading") return false;
  if (hasGap) return last.kind === "item" && /^(?: {2}|\t)/.test(line);
  return !ITEM.test(line);
}

/** Returns what ends the fence or displayed formula that a line opens, if it opens one. */
function closerOf(line: string): RegExp | null {
  const fence = FENCE.exec(line)?.[1];
  if (fence) return fence[0] === "`" ? /^\s*`{3,}\s*$/ : /^\s*~{3,}\s*$/;
  if ((line.split("$$").length - 1) % 2 === 1) return /\$\$/;
  const opens = line.lastIndexOf("\\[");
  return opens >= 0 && line.indexOf("\\]", opens) < 0 ? /\\\]/ : null;
}

function citationOf(source: string, numbers: readonly number[]): number | null {
  const found = CITATION.exec(source);
  if (!found) return null;
  const numeral = found[2] ?? "";
  const written = NUMERALS.indexOf(numeral) + 1;
  const number = found[1] ? Number(found[1]) : numeral && written > 0 ? written : Number(numeral);
  return numbers.indexOf(number) >= 0 ? number : null;
}

/** Whether a block names a line for the blocks under it. */
function isTitle({ kind, source }: Block): boolean {
  return kind === "heading" || isBare(source);
}

/** Whether nothing but a citation stands in a block. */
function isBare(source: string): boolean {
  const rest = source.replace(CITATION, "");
  return rest !== source && rest.replace(/[\s#*_:：.\-–—]/g, "") === "";
}

function withoutMarker({ kind, source }: Block): string {
  return kind === "item" ? source.replace(ITEM, "") : source;
}

function joined(before: string | undefined, text: string): string {
  return before === undefined ? text : `${before}\n\n${text}`;
}
