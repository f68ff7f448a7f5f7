// A pupil's numbered lines, and a review's remarks next to them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { numberLines, parseRemarks, studentLines } from "../src/views/job/remarks.ts";

const NUMBERS = [1, 2, 3, 4];

function parsed(review: string, isComplete = true) {
  const { byLine, below } = parseRemarks(review, NUMBERS, isComplete);
  return { byLine: Object.fromEntries(byLine), below };
}

test("lines are sent with the numbers that were seen, without blank ones", () => {
  assert.equal(numberLines("2x = 4\r\n\n  x = 2 \n"), "Line 1: 2x = 4\nLine 3: x = 2");
  assert.equal(numberLines(" \n"), "");
});

test("numbered work is read back as it was sent", () => {
  const lines = studentLines(numberLines("2x = 4\n\nx = 2"));
  assert.deepEqual(lines, [{ number: 1, text: "2x = 4" }, { number: 3, text: "x = 2" }]);
});

test("work that was sent without numbers gets them", () => {
  const lines = studentLines("2x = 4\n\nx = 2\n");
  assert.deepEqual(lines, [{ number: 1, text: "2x = 4" }, { number: 3, text: "x = 2" }]);
});

test("remarks that cite a line stand next to it, others below", () => {
  const review = "A good start.\n\nLine 1 is right.\n\nIn line 2 the sign is wrong.\n\nTry again!";
  assert.deepEqual(parsed(review), {
    byLine: { 1: "Line 1 is right.", 2: "In line 2 the sign is wrong." },
    below: "A good start.\n\nTry again!",
  });
});

test("list items are remarks of their own, with the lines that continue them", () => {
  const second = "**Line** 2: wrong,\n  because 2·3 = 6\n\n  as you know";
  const review = `- **Line 1:** right\n- ${second}\n- Nice`;
  assert.deepEqual(parsed(review), {
    byLine: { 1: "**Line 1:** right", 2: second },
    below: "- Nice",
  });
});

test("a heading takes the blocks under it along, up to the next heading", () => {
  const review = "### Line 2\n\nThe sign is wrong.\n\nLook again.\n\n### In all\n\nWell done.";
  assert.deepEqual(parsed(review), {
    byLine: { 2: "The sign is wrong.\n\nLook again." },
    below: "### In all\n\nWell done.",
  });
});

test("a heading that says more than the line stays in its remark", () => {
  assert.deepEqual(parsed("## Line 2: sign\n\nLook again.").byLine, {
    2: "## Line 2: sign\n\nLook again.",
  });
});

test("Chinese citations are read, with digits or numerals and of ranges", () => {
  const review = "第1行正确。\n\n第 2 行符号错了。\n\n第三行也对。\n\n第4至5行多余。";
  assert.deepEqual(parsed(review).byLine, {
    1: "第1行正确。", 2: "第 2 行符号错了。", 3: "第三行也对。", 4: "第4至5行多余。",
  });
});

test("a line that the pupil did not write is not cited", () => {
  assert.deepEqual(parsed("Line 9 is missing."), { byLine: {}, below: "Line 9 is missing." });
});

test("words that only look like a citation are not one", () => {
  const review = "Underline 2 of them. A baseline 3. Draw the line 45 mm long.";
  assert.deepEqual(parsed(review), { byLine: {}, below: review });
});

test("code and displayed formulas are never split", () => {
  const review = "Line 2:\n```\na\n\n- Line 3\n```\n\n$$\nx\n\ny\n$$";
  const { byLine, below } = parsed(review);
  assert.deepEqual(byLine, { 2: "Line 2:\n```\na\n\n- Line 3\n```" });
  assert.equal(below, "$$\nx\n\ny\n$$");
});

test("several remarks on one line follow each other", () => {
  assert.equal(parsed("Line 1 is right.\n\nBut line 1 could be shorter.").byLine[1],
    "Line 1 is right.\n\nBut line 1 could be shorter.");
});

test("while text comes, a block that may still cite a line is held back", () => {
  assert.deepEqual(parsed("Good.\n\nIn li", false), { byLine: {}, below: "Good." });
  assert.deepEqual(parsed("Good.\n\nIn line 2", false).byLine, { 2: "In line 2" });
  const long = "This is about the whole of your work, which is nearly right.";
  assert.equal(parsed(long, false).below, long);
});
