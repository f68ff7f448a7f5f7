// Finds where a TeX group or environment ends, for the scanner of formulas in math.ts.

/** Where a formula's content ends and where its delimiter does; "open" if that may still come. */
export type End = { close: number; end: number } | "open" | "none";

const TEXT_COMMAND = /\\(?:text[a-z]*|mbox|hbox|tag\*?)\s*\{/y;

/** Whether a command at `at` takes text, which may hold formulas of its own in dollars. */
export function isTextCommand(text: string, at: number): boolean {
  TEXT_COMMAND.lastIndex = at;
  return TEXT_COMMAND.test(text);
}

/** Returns where a group ends, after its brace, whose content begins at `from`; -1 if nowhere. */
export function groupEnd(text: string, from: number): number {
  const marks = /\\[\s\S]|[{}]/g;
  marks.lastIndex = from;
  let depth = 1;
  for (let mark = marks.exec(text); mark; mark = marks.exec(text)) {
    if (mark[0] === "{") depth++;
    else if (mark[0] === "}" && --depth === 0) return mark.index + 1;
  }
  return -1;
}

/** Finds the end of the environment `name` that begins at `at`. */
export function environmentEnd(text: string, at: number, name: string): End {
  const marks = /\\(begin|end)\s*\{([A-Za-z]+\*?)\}/g;
  marks.lastIndex = at;
  let depth = 0;
  for (let mark = marks.exec(text); mark; mark = marks.exec(text)) {
    if (mark[2] !== name) continue;
    depth += mark[1] === "begin" ? 1 : -1;
    if (depth === 0) {
      const end = mark.index + mark[0].length;
      return { close: end, end };
    }
  }
  return "open";
}
