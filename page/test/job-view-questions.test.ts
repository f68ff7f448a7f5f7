// What the buttons under an answer ask.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Job } from "../src/api/shapes.ts";
import {
  checkQuestion, followUpQuestion, longerQuestion, reviewQuestion, sameQuestion,
} from "../src/views/job/questions.ts";

const job = {
  id: "b", mode: "math", question: "2x = 4?", previous: "a", attempt_of_student: null,
  attempts_wanted: 1, budget_tokens: 8192,
} as Job;

test("the same question keeps mode, attempts, budget and what it goes on from", () => {
  assert.deepEqual(sameQuestion(job), {
    question: "2x = 4?", mode: "math", attempts: 1, budget_tokens: 8192, previous: "a",
  });
  const review = { ...job, mode: "review", previous: null, attempt_of_student: "Line 1: x = 2" };
  assert.deepEqual(sameQuestion(review), {
    question: "2x = 4?", mode: "review", attempts: 1, budget_tokens: 8192,
    attempt_of_student: "Line 1: x = 2",
  });
});

test("a check asks the same question with four attempts", () => {
  assert.deepEqual(checkQuestion(job), { ...sameQuestion(job), attempts: 4 });
});

test("a longer budget is twice the last one, up to what the box accepts", () => {
  assert.equal(longerQuestion(job)?.budget_tokens, 16_384);
  assert.equal(longerQuestion({ ...job, budget_tokens: 100_000 })?.budget_tokens, 131_072);
  assert.equal(longerQuestion({ ...job, budget_tokens: 131_072 }), null);
});

test("a follow-up goes on in the same mode, but not as a review without work", () => {
  assert.deepEqual(followUpQuestion(job, " Why? "), {
    question: "Why?", mode: "math", previous: "b", attempts: 1,
  });
  assert.deepEqual(followUpQuestion({ ...job, mode: "review" }, "Why?"), {
    question: "Why?", mode: "hint", previous: "b",
  });
});

test("work is sent with numbered lines and the problem itself", () => {
  assert.deepEqual(reviewQuestion(job, "Solve 2x = 4.", "2x = 4\nx = 2"), {
    question: "Solve 2x = 4.", mode: "review", previous: "b",
    attempt_of_student: "Line 1: 2x = 4\nLine 2: x = 2",
  });
});
