// What votes say, and formulas as plain text.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Votes } from "../src/api/shapes.ts";
import { job as words } from "../src/strings/en/job.ts";
import { newestLine } from "../src/views/job/newest.ts";
import { plainMath } from "../src/views/job/plain-math.ts";
import { hasValue, rowsOf, verdictOf } from "../src/views/job/verdict.ts";

/** Makes a vote from the number of attempts for each value. */
function voted(wanted: number, ended: number, counts: number[]): Votes {
  let next = 0;
  const votes = counts.map((count, index) => ({
    value: `v${index}`, count, attempt_indices: Array.from({ length: count }, () => next++),
  }));
  const agreement = (counts[0] ?? 0) / Math.max(1, ended);
  return { wanted, ended, votes, agreement, best_attempt: 0 };
}

test("a single attempt is a guess", () => {
  assert.deepEqual(verdictOf(null), { kind: "single", level: "guess" });
  assert.deepEqual(verdictOf(voted(1, 1, [1])), { kind: "single", level: "guess" });
});

test("where no two attempts agree the answer is a guess", () => {
  const split = { kind: "split", level: "guess" };
  assert.deepEqual(verdictOf(voted(4, 4, [1, 1, 1, 1])), { ...split, ended: 4 });
  assert.deepEqual(verdictOf(voted(4, 1, [1])), { ...split, ended: 1 });
  assert.deepEqual(verdictOf(voted(4, 4, [])), { kind: "none", level: "guess", ended: 4 });
});

test("agreement has three levels by share and number", () => {
  const level = (wanted: number, ended: number, counts: number[]) =>
    verdictOf(voted(wanted, ended, counts)).level;
  assert.equal(level(4, 3, [3]), "strong");
  assert.equal(level(4, 4, [3, 1]), "strong");
  assert.equal(level(2, 2, [2]), "fair");
  assert.equal(level(8, 8, [5, 2, 1]), "fair");
  assert.equal(level(4, 4, [2, 2]), "weak");
  assert.equal(level(8, 8, [3, 2, 2, 1]), "weak");
});

test("attempts that were not needed are counted", () => {
  const verdict = { kind: "agree", level: "strong", count: 3, ended: 3, spared: 1 };
  assert.deepEqual(verdictOf(voted(4, 3, [3])), verdict);
});

test("verdicts are worded without claiming more than the vote says", () => {
  const worded = (wanted: number, ended: number, counts: number[]) =>
    words.verdict(verdictOf(voted(wanted, ended, counts)));
  assert.equal(worded(4, 3, [3]), "All 3 attempts agree. 1 more would hardly change that.");
  assert.equal(worded(4, 4, [3, 1]), "3 of 4 attempts agree.");
  assert.equal(worded(4, 4, [1, 1, 1, 1]), "Of 4 attempts no two agree.");
  assert.equal(worded(4, 1, [1]), "Only one attempt was ready, and nothing has checked it.");
  assert.equal(worded(4, 4, []), "None of 4 attempts has an answer that could be compared.");
  assert.equal(words.verdict(verdictOf(null)), "This was one attempt, and nothing has checked it.");
});

test("attempts without a value have a row of their own, the last", () => {
  const rows = rowsOf(voted(4, 4, [2, 1]), [0, 1, 2, 3]);
  assert.deepEqual(rows.map(({ value, attempts }) => [value, attempts]), [
    ["v0", [0, 1]], ["v1", [2]], [null, [3]],
  ]);
  assert.equal(rows[0]?.share, 0.5);
  assert.equal(rowsOf(voted(4, 2, [2]), [0, 1]).length, 1);
});

test("hints, reviews and proofs have no value", () => {
  const modes = ["math", "code", "plain", "hint", "review", "proof"];
  assert.deepEqual(modes.map(hasValue), [true, true, true, false, false, false]);
});

test("formulas become plain characters", () => {
  assert.equal(plainMath("\\frac{1}{2}"), "1/2");
  assert.equal(plainMath("$x = \\dfrac{-b \\pm \\sqrt{b^2-4ac}}{2a}$"), "x = (-b ± √(b^2-4ac))/2a");
  assert.equal(plainMath("90^\\circ"), "90°");
  assert.equal(plainMath("\\text{no solution}"), "no solution");
  assert.equal(plainMath("\\left(1,\\,2\\right)"), "(1, 2)");
  assert.equal(plainMath("3 \\times 4 \\le 12"), "3 × 4 ≤ 12");
  assert.equal(plainMath("\\boxed{391}"), "391");
});

test("plain formulas stay short and quick for hostile text", () => {
  assert.ok(plainMath("{".repeat(100_000)).length <= 400);
  assert.ok(plainMath("\\frac{".repeat(100_000)).length <= 2000);
});

test("the newest line of a thinking is its last one, without marks", () => {
  assert.equal(newestLine("First.\n\n**Now** $3\\times 4$"), "Now 3×4");
  assert.equal(newestLine("## Step 2\n"), "Step 2");
  assert.equal(newestLine("a\n```\n"), "a");
  assert.equal(newestLine(""), "");
});

test("a formula that is not complete yet is left out of the newest line", () => {
  assert.equal(newestLine("So $a$ and $\\frac{1"), "So a and");
  assert.equal(newestLine("So \\(a\\) and \\(\\fra"), "So a and");
});

test("a long line is shown from its newest sentence, once that has said something", () => {
  const long = "We look at all the cases one after the other and count them, which is tedious.";
  assert.equal(newestLine(`${long} The first case has four solutions`),
    "The first case has four solutions");
  assert.equal(newestLine(`${long} So`), `${long} So`);
});
