// The steps of learning, and when a solution is hidden.

import assert from "node:assert/strict";
import { test } from "node:test";
import { followUpMode, hidesSolution, rungsOf } from "../src/views/job/ladder.ts";

const ALL = ["math", "code", "hint", "review", "proof", "plain"];
const job = (id: string, mode: string, previous: string | null = null) => ({ id, mode, previous });

function standings(chain: string[], offered = ALL) {
  return rungsOf(chain, offered).map(({ step, standing }) => `${step} ${standing}`);
}

test("under the first hint there is a next hint, a check and the solution", () => {
  assert.deepEqual(standings(["hint"]),
    ["hint done", "nextHint open", "check open", "solution open"]);
});

test("under a review without a hint the first hint comes first", () => {
  assert.deepEqual(standings(["review"]),
    ["hint open", "nextHint later", "check open", "solution open"]);
});

test("steps that the model cannot do are missing", () => {
  assert.deepEqual(standings(["hint"], ["math"]),
    ["hint done", "nextHint missing", "check missing", "solution open"]);
  assert.deepEqual(standings(["review"], ["review"]),
    ["hint missing", "nextHint missing", "check open", "solution missing"]);
});

test("hints and reviews hide the solution, other modes do not", () => {
  assert.equal(hidesSolution(job("a", "hint"), []), true);
  assert.equal(hidesSolution(job("a", "review"), []), true);
  assert.equal(hidesSolution(job("a", "math"), []), false);
});

test("once the solution of the problem was asked for, its hints hide nothing", () => {
  const known = [job("c", "math", "b"), job("b", "hint", "a"), job("a", "hint")];
  assert.equal(hidesSolution(job("a", "hint"), known), false);
  assert.equal(hidesSolution(job("b", "hint", "a"), known), false);
});

test("the solution of another problem reveals nothing", () => {
  const known = [job("x", "math"), job("y", "math", "x"), job("a", "hint")];
  assert.equal(hidesSolution(job("a", "hint"), known), true);
  assert.equal(hidesSolution(job("b", "review", "a"), known), true);
});

test("a review of a problem that was solved before hides nothing", () => {
  assert.equal(hidesSolution(job("b", "review", "a"), [job("a", "math")]), false);
});

test("a circle of previous jobs is not followed for ever", () => {
  assert.equal(hidesSolution(job("a", "hint", "b"), [job("b", "hint", "a")]), true);
});

test("a follow-up to a review is asked as a hint", () => {
  assert.equal(followUpMode("review"), "hint");
  assert.equal(followUpMode("hint"), "hint");
  assert.equal(followUpMode("math"), "math");
});
