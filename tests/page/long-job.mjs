// A job as hard as they come: 20,000 tokens of thinking and 2,000 of an answer with 60 formulas,
// put together from the recorded answers. Always the same.

import { answers, randomOf, tokens } from "./recording.mjs";

export const THINKING_TOKENS = 20_000;
export const ANSWER_TOKENS = 2_000;
export const FORMULAS = 60;
/** Prose between the sections, as much as is missing to the length. */
const PROSE =
  "We continue with the next part of the argument and keep the notation from above; each "
  + "step uses only what was shown before it, so that the reader can check it alone.";

/** Sections of the answer, by the names of the recorded answers, and one that fills up to 60. */
const SECTIONS = [
  "algebra: a polynomial with complex roots",
  "layout: an augmented matrix with row operations",
  "combinatorics: inclusion and exclusion",
  "code: dynamic programming with a table",
  "algebra: functional equation",
  "number-theory: a diophantine equation",
];

/** Returns `{ thinking, answer, value, blocks }`; `blocks` are the answer's costliest blocks. */
export function longJob() {
  const all = answers();
  const sections = SECTIONS.map((name) => all.find((one) => one.name === name));
  let answer = sections.map(({ answer }, at) => `## Part ${at + 1}\n\n${answer}`).join("\n\n");
  const missing = FORMULAS - sections.reduce((sum, { formulas }) => sum + formulas, 0);
  if (missing < 0) throw new Error(`the sections have ${-missing} formulas too many`);
  const sum = Array.from({ length: missing }, (_, at) => `$s_{${at}} = ${at ** 2}$`).join(", ");
  const countOf = (text) => tokens(text, randomOf(1)).length;
  while (countOf(answer) < ANSWER_TOKENS - 60) answer += `\n\n${PROSE}`;
  answer += missing > 0 ? `\n\nThe sums are ${sum}.` : "";
  let thinking = "";
  for (let at = 0; countOf(thinking) < THINKING_TOKENS; at++) {
    const { thinking: text } = all[at % all.length];
    thinking += `${text}\n\nWait, let me check part ${at + 1} again, from another side.\n\n`;
  }
  const blocks = sections.flatMap(({ answer: text }) => costly(text));
  return { thinking, answer, value: "(1, 2)", blocks };
}

/** Returns the tables and displayed formulas of several lines. */
function costly(text) {
  return text.split("\n\n").filter((block) => block.split("\n").length > 3);
}
