// Jobs as problems: those that go on from each other are the steps of one. And which of them a
// search finds. Pure; the history shows them.

import type { ListedJob } from "../api/shapes.ts";

const DIGIT = /\d/;

/** The jobs of one problem, the first step first. */
export interface Problem { key: string; steps: ListedJob[] }

/** Groups jobs, the latest first, by the job that each chain began with; the problem with the
    latest step comes first. */
export function problemsOf(jobs: readonly ListedJob[]): Problem[] {
  const parents = new Map(jobs.map(({ id, previous }) => [id, previous ?? null]));
  const roots = new Map<string, string>();
  /** Returns where a chain begins; that may be a job which is not listed or was deleted. */
  const rootOf = (id: string): string => {
    const chain = [];
    let root = id;
    for (let parent = parents.get(id); parent; parent = parents.get(root)) {
      chain.push(root);
      root = roots.get(parent) ?? parent;
      // No box sends a circle; one must not hang the page.
      if (chain.length > jobs.length) break;
    }
    for (const step of chain) roots.set(step, root);
    return root;
  };
  const problems = new Map<string, Problem>();
  for (const job of jobs) {
    const key = rootOf(job.id);
    const problem = problems.get(key) ?? { key, steps: [] };
    problem.steps.unshift(job);
    problems.set(key, problem);
  }
  return [...problems.values()];
}

/** Returns the problems of which a step has the words of a search as they stand, as formulas need
    it; if there is none, those with all its words in any order. `textOf` is what a person sees of a
    job and may search for. */
export function search(
  problems: Problem[], query: string, textOf: (job: ListedJob) => string,
): Problem[] {
  const phrase = folded(query);
  if (phrase === "") return problems;
  const texts = new Map<Problem, string[]>();
  for (const problem of problems) {
    texts.set(problem, problem.steps.map((job) => folded(textOf(job))));
  }
  const withAll = (words: string[]) => problems.filter((problem) =>
    texts.get(problem)?.some((text) => words.every((word) => hasWord(text, word))));
  const exact = withAll([phrase]);
  return exact.length > 0 ? exact : withAll(phrase.split(" "));
}

/** Finds a word anywhere in a text, but a number only where one begins: 3 is not in 13. */
function hasWord(text: string, word: string): boolean {
  let at = text.indexOf(word);
  if (!DIGIT.test(word.charAt(0))) return at >= 0;
  while (at > 0 && DIGIT.test(text.charAt(at - 1))) at = text.indexOf(word, at + 1);
  return at >= 0;
}

/** Makes texts comparable: case, the wide forms of letters and digits, and the kind of white space
    do not count. */
function folded(text: string): string {
  return text.normalize("NFKC").toLowerCase().replace(/\s+/g, " ").trim();
}
