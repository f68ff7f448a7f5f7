// The boxed value of a reply: `\boxed{…}` or `\fbox{…}`, as the box itself reads it
// (src/answers/value.rs). Finds it, or takes it out where it would give a solution away.

import { groupEnd } from "./math-ends.ts";

interface Box {
  /** Where the command begins. */
  start: number;
  /** Where the content begins and ends, without its braces; -1 while it has no end. */
  from: number;
  to: number;
}

const COMMAND = /\\(?:boxed|fbox)$/;
const LONGEST_COMMAND = "\\boxed".length;
/** Characters in which the name of a command ends. */
const LONGEST_NAME = 40;

/** Returns where the box command before an open brace begins, or -1. */
function boxBefore(text: string, brace: number): number {
  let end = brace;
  while (end > 0 && /\s/.test(text.charAt(end - 1))) end--;
  const start = Math.max(0, end - LONGEST_COMMAND);
  const found = COMMAND.exec(text.slice(start, end));
  return found ? start + found.index : -1;
}

/** Returns the complete boxes in the order of their ends, and those left open. */
function boxes(text: string): { complete: Box[]; open: Box[] } {
  const complete: Box[] = [];
  const open: Box[] = [];
  const marks = /\\[\s\S]|[{}]/g;
  for (let mark = marks.exec(text); mark; mark = marks.exec(text)) {
    const from = mark.index + 1;
    if (mark[0] === "{") {
      open.push({ start: boxBefore(text, mark.index), from, to: -1 });
    } else if (mark[0] === "}") {
      const box = open.pop();
      if (box && box.start >= 0) complete.push({ ...box, to: mark.index });
    }
  }
  return { complete, open: open.filter(({ start }) => start >= 0) };
}

/** Returns the content of the complete box that begins last, or "". */
export function boxedValue(text: string): string {
  const { complete } = boxes(text);
  const last = complete.reduce<Box | null>((a, b) => (a && a.from > b.from ? a : b), null);
  return last ? text.slice(last.from, last.to).trim() : "";
}

const HIDDEN = "\\boxed{\\ldots}";

/** Takes the content out of all boxes, also out of one that is not complete yet. */
export function withoutBoxes(text: string): string {
  const { complete, open } = boxes(text);
  const all = [...complete, ...open].sort((a, b) => a.start - b.start);
  let shown = "";
  let at = 0;
  for (const { start, from, to } of all) {
    // A box within a box that is hidden already.
    if (start < at) continue;
    shown += withoutBareBoxes(text.slice(at, start)) + HIDDEN;
    at = to === -1 ? paragraphEnd(text, from) : to + 1;
  }
  return shown + withoutBareBoxes(text.slice(at));
}

/** Returns where the paragraph ends: a box that is never closed must not hide all that follows. */
function paragraphEnd(text: string, from: number): number {
  const end = text.indexOf("\n\n", from);
  return end === -1 ? text.length : end;
}

/** Hides what is boxed without braces: the next character, or a command and its arguments. */
function withoutBareBoxes(text: string): string {
  let shown = "";
  let at = 0;
  const commands = /\\(?:boxed|fbox)(?![a-zA-Z])[ \t]*/g;
  for (let command = commands.exec(text); command; command = commands.exec(text)) {
    shown += text.slice(at, command.index) + HIDDEN;
    at = bareEnd(text, commands.lastIndex);
    commands.lastIndex = at;
  }
  return shown + text.slice(at);
}

function bareEnd(text: string, from: number): number {
  const token = /^(?:\\[a-zA-Z]+|\\?[^\s\\$])/.exec(text.slice(from, from + LONGEST_NAME));
  let end = from + (token?.[0].length ?? 0);
  if (!token?.[0].startsWith("\\")) return end;
  for (;;) {
    const brace = /^\s*\{/.exec(text.slice(end, end + LONGEST_NAME));
    if (!brace) return end;
    const close = groupEnd(text, end + brace[0].length);
    end = close === -1 ? text.length : close;
  }
}
