// The splitter of a growing text into blocks.

import assert from "node:assert/strict";
import { test } from "node:test";
import { BlockSplitter } from "../src/text/blocks.ts";
import { cpuMs } from "./support/cpu.ts";

function split(text: string, isComplete = true): string[] {
  return new BlockSplitter().advance(text, isComplete).map(({ start, end }) =>
    text.slice(start, end).trimEnd());
}

/** Feeds a text in pieces and returns the blocks, asserting that they never change. */
function grow(text: string, step: number): string[] {
  const splitter = new BlockSplitter();
  const blocks: string[] = [];
  for (let length = step; length < text.length + step; length += step) {
    const part = text.slice(0, length);
    for (const { start, end } of splitter.advance(part, length >= text.length)) {
      blocks.push(part.slice(start, end).trimEnd());
    }
  }
  return blocks;
}

const TEXT = String.raw`# Title
First paragraph
over two lines.

- one

  goes on
- two

1. three
   ${"```"}py
   a = 1

   b = 2
   ${"```"}

Then $$
x

y
$$
text.

| a | b |
|---|---|
| 1 | 2 |

> quote
> more
## Another
${"```"}python
def f():

    return 1
${"```"}
\[
a

b
\]

12

End.`;

test("blocks end at blank lines, headings and fences", () => {
  assert.deepEqual(split("a\nb\n\nc\n# d\ne\n```\nf\n\ng\n```\nh"),
    ["a\nb", "c", "# d", "e", "```\nf\n\ng\n```", "h"]);
});

test("a list goes on over blank lines as long as items or indented lines follow", () => {
  assert.deepEqual(split("- a\n\n- b\n\n  c\n\nd"), ["- a\n\n- b\n\n  c", "d"]);
  assert.deepEqual(split("1. a\n\n2. b"), ["1. a\n\n2. b"]);
});

test("a displayed formula goes on over blank lines", () => {
  assert.deepEqual(split("$$\na\n\nb\n$$\n\nc"), ["$$\na\n\nb\n$$", "c"]);
  assert.deepEqual(split("\\begin{align}\na\n\nb\n\\end{align}\n\nc"),
    ["\\begin{align}\na\n\nb\n\\end{align}", "c"]);
  assert.deepEqual(split("$$\na\n\nb\n\nc"), ["$$\na", "b", "c"]);
});

test("a displayed formula that never ends does not hold all that follows", () => {
  const text = `$$\na\n\n${"b ".repeat(3_000)}\n\nc`;
  assert.equal(split(text, false).length, 2);
});

test("a text that grows in pieces of any size gives the same blocks", () => {
  const whole = split(TEXT);
  for (const step of [1, 2, 3, 7, 50]) assert.deepEqual(grow(TEXT, step), whole, `step ${step}`);
});

test("only what cannot change any more is finished", () => {
  assert.deepEqual(split("a\n\nb", false), ["a"]);
  assert.deepEqual(split("a\n", false), []);
  assert.deepEqual(split("- a\n\n", false), []);
  assert.deepEqual(split("- a\n\n1", false), []);
  assert.deepEqual(split("- a\n\nb", false), ["- a"]);
  assert.deepEqual(split("```\na\n```", false), []);
  assert.deepEqual(split("```\na\n```\n", false), ["```\na\n```"]);
});

test("a block without a blank line is cut, not in a formula", () => {
  const lines = "a line of text\n".repeat(7_000);
  const blocks = split(lines, false);
  assert.ok(blocks.length > 10 && blocks.every((block) => block.length <= 8_000));
  const line = `${"word ".repeat(1_595)}$${"x + ".repeat(20)}y$ ${"word ".repeat(3_000)}`;
  assert.ok(split(line).every((block) => (block.match(/\$/g)?.length ?? 0) % 2 === 0));
  assert.equal(split("w".repeat(10_000)).length, 1);
  assert.equal(split("*".repeat(1_000_000)).length, 63);
  assert.equal(split(lines).join("\n").length, lines.length - 1);
});

test("a long list is cut between items", () => {
  const items = Array.from({ length: 500 }, (_, i) => `${i + 1}. item with some words\n`).join("");
  const blocks = split(items);
  assert.ok(blocks.length > 1 && blocks.every((block) => /^\d+\. item/.test(block)));
});

test("a long table keeps its head", () => {
  const blocks = split(`Text\n| a | b |\n|---|---|\n${"| 1 | 2 |\n".repeat(1_000)}`);
  assert.equal(blocks[0], "Text");
  assert.ok(blocks[1]?.startsWith("| a | b |\n|---|---|\n| 1 | 2 |\n| 1 | 2 |"));
});

// The bound is far above what is needed, and far below what quadratic time would take.
test("texts of a megabyte take no time, whole or growing", () => {
  const began = cpuMs();
  for (const piece of ["*", "a\n", "$$\n", "- a\n", "```\n", "> ", "|a|\n", "{", "\n", "- a\n\n"]) {
    split(piece.repeat(1_000_000 / piece.length));
  }
  grow("a line of some length, as a model writes it\n".repeat(2_500), 1_000);
  grow(`\`\`\`\n${"x = x + 1\n".repeat(50_000)}`, 500);
  assert.ok(cpuMs() - began < 20_000, `took ${cpuMs() - began} ms`);
});
