// The questions that a job's view can ask next, as what is sent to the box. Pure.

import type { Ask, Job, Mode } from "../../api/shapes.ts";
import { BUDGET_TOKENS_MAX } from "../ask/submission.ts";
import { followUpMode } from "./ladder.ts";
import { numberLines } from "./remarks.ts";

/** Attempts of a check: one, and the 3 more that its button promises. */
export const CHECK_ATTEMPTS = 4;

/** Returns what a job was asked. */
export function sameQuestion(job: Job): Ask {
  const ask: Ask = {
    question: job.question, mode: job.mode, attempts: job.attempts_wanted,
    budget_tokens: job.budget_tokens,
  };
  if (job.previous !== null) ask.previous = job.previous;
  if (job.attempt_of_student !== null) ask.attempt_of_student = job.attempt_of_student;
  return ask;
}

/** Returns the same question with attempts that vote. */
export function checkQuestion(job: Job): Ask {
  return { ...sameQuestion(job), attempts: CHECK_ATTEMPTS };
}

/** Returns the same question with twice the budget, or null if it has all there is. */
export function longerQuestion(job: Job): Ask | null {
  if (job.budget_tokens >= BUDGET_TOKENS_MAX) return null;
  return {
    ...sameQuestion(job), budget_tokens: Math.min(BUDGET_TOKENS_MAX, 2 * job.budget_tokens),
  };
}

/** Returns a question of one's own about a job's answer. */
export function followUpQuestion(job: Job, question: string): Ask {
  const mode = followUpMode(job.mode);
  const ask: Ask = { question: question.trim(), mode, previous: job.id };
  if (mode === job.mode) ask.attempts = job.attempts_wanted;
  return ask;
}

/** Returns a request for a hint, in the words of the page's language. */
export function hintQuestion(job: Job, words: string): Ask {
  return { question: words, mode: "hint", previous: job.id };
}

/** Returns a request to review a pupil's work on a problem. */
export function reviewQuestion(job: Job, problem: string, work: string): Ask {
  return {
    question: problem, mode: "review", previous: job.id, attempt_of_student: numberLines(work),
  };
}

/** Returns a request for the full solution of a problem. The problem is said again: small models
    keep to it better than to a mention of it. */
export function solutionQuestion(job: Job, problem: string, mode: Mode): Ask {
  return { question: problem, mode: mode.name, previous: job.id };
}
