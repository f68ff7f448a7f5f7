// The rules of learning one problem step by step: hint, next hint, check my work, full solution.
// Until the full solution was asked for, hints and reviews show neither thinking nor boxed values.

/** What the rules need to know of a job. */
export interface Linked { id: string; mode: string; previous: string | null }

export type Step = "hint" | "nextHint" | "check" | "solution";

/** `done`: behind the pupil. `open`: can be taken now. `later`: needs a step before it. `missing`:
    the box has no such mode, or its model cannot do it. */
export interface Rung { step: Step; standing: "done" | "open" | "later" | "missing" }

/** Longest chain of previous jobs that is followed. */
export const CHAIN_MAX = 50;

const LEARNING = ["hint", "review"];

/** Whether a job of this mode is a step of the ladder. */
export function isLearning(mode: string): boolean {
  return LEARNING.indexOf(mode) >= 0;
}

/** Whether the solution of a job's problem must not be shown yet: it is a hint or a review, and
    none of the known jobs on the same problem was asked for the solution. */
export function hidesSolution(job: Linked, known: readonly Linked[]): boolean {
  if (!isLearning(job.mode)) return false;
  const parents = new Map<string, string | null>();
  for (const { id, previous } of [...known, job]) parents.set(id, previous);
  const root = rootOf(job.id, parents);
  return !known.some(({ id, mode }) => !isLearning(mode) && rootOf(id, parents) === root);
}

/** Returns the first job of a chain, as far as it is known. */
function rootOf(id: string, parents: ReadonlyMap<string, string | null>): string {
  let root = id;
  for (let step = 0; step < CHAIN_MAX; step++) {
    const parent = parents.get(root);
    if (!parent) break;
    root = parent;
  }
  return root;
}

/** Returns the rungs under a job. `chain` has the modes of the jobs before it and its own;
    `offered` are the modes that the box and its model can do. */
export function rungsOf(chain: readonly string[], offered: readonly string[]): Rung[] {
  const [canHint, canReview] = LEARNING.map((mode) => offered.indexOf(mode) >= 0);
  const hasHint = chain.indexOf("hint") >= 0;
  const hint = (isNow: boolean) => (canHint ? (isNow ? "open" : "later") : "missing");
  return [
    { step: "hint", standing: hasHint ? "done" : hint(true) },
    { step: "nextHint", standing: hint(hasHint) },
    { step: "check", standing: canReview ? "open" : "missing" },
    { step: "solution", standing: offered.some((mode) => !isLearning(mode)) ? "open" : "missing" },
  ];
}

/** Returns the mode in which a follow-up question of one's own is asked. A review reads a pupil's
    work, which such a question lacks: a hint keeps the solution hidden as well. */
export function followUpMode(mode: string): string {
  return mode === "review" ? "hint" : mode;
}
