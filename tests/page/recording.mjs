// Recordings: what the attempts of a job write, cut into the pieces in which a box would send it.
// The replayer plays them. The 60 answers of answers/ are read here too. No network, no browser.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const ANSWERS = join(import.meta.dirname, "answers");
/** Characters of a token, on average and at most. */
const TOKEN_CHARS_MAX = 7;

/** Makes a generator of numbers from 0 to below 1 that always gives the same ones for a seed. */
export function randomOf(seed) {
  let state = seed >>> 0;
  // mulberry32
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Cuts a text into pieces of the size of tokens, never inside a character. */
export function tokens(text, random) {
  const characters = Array.from(text);
  const pieces = [];
  for (let at = 0; at < characters.length;) {
    const size = 1 + Math.floor(random() * TOKEN_CHARS_MAX);
    pieces.push(characters.slice(at, at + size).join(""));
    at += size;
  }
  return pieces;
}

/**
 * Makes the steps of a job from what each attempt writes: `{ thinking, answer, value, finish }`.
 * The pieces of the attempts are interleaved, as a batch of a box generates them.
 *
 * A step is `{ kind: "text", attempt, part, text }`
 * or `{ kind: "attempt", attempt, value, finish }`.
 */
export function stepsOf(attempts, { seed = 1 } = {}) {
  const random = randomOf(seed);
  const rest = attempts.map(
    ({ thinking = "", answer = "", value = null, finish = "done" }, attempt) => {
      const texts = (part, text) =>
        tokens(text, random).map((piece) => ({ kind: "text", attempt, part, text: piece }));
      const end = { kind: "attempt", attempt, value, finish };
      return [...texts("thinking", thinking), ...texts("answer", answer), end];
    },
  );
  const steps = [];
  while (rest.some((list) => list.length > 0)) {
    for (const list of rest) if (list.length > 0) steps.push(list.shift());
  }
  return steps;
}

/** Splits what VibeThinker writes into its thinking and its answer, as the box does. */
export function split(text) {
  const [, thinking, answer] = /^<think>\n?([\s\S]*?)\n?<\/think>\s*([\s\S]*)$/.exec(text) ?? [];
  if (answer === undefined) throw new Error(`no <think> … </think> in ${text.slice(0, 80)}`);
  return { thinking, answer: answer.trimEnd() };
}

/**
 * Reads the answers of answers/:
 * `{ name, question, value, formulas, code, mode, thinking, answer }`.
 *
 * A file has several, each under a line `=== NAME` and lines `key: value` up to an empty one;
 * `formulas` is how many formulas its answer has, counted by another scanner (samples were checked
 * by reading), and `code` its blocks.
 */
export function answers() {
  const files = readdirSync(ANSWERS)
    .filter((file) => file.endsWith(".txt"))
    .sort();
  return files.flatMap((file) => {
    const parts = readFileSync(join(ANSWERS, file), "utf8").split(/^=== /m).slice(1);
    return parts.map((part) => parse(part, file.replace(".txt", "")));
  });
}

function parse(part, topic) {
  const [head] = part.split("\n\n", 1);
  const [name, ...lines] = head.split("\n");
  const fields = Object.fromEntries(
    lines.map((line) => {
      const at = line.indexOf(": ");
      return [line.slice(0, at), line.slice(at + 2)];
    }),
  );
  const { question, value = "", formulas, code = "0", mode = "math" } = fields;
  if (!question || formulas === undefined) throw new Error(`${topic}: ${name} is incomplete`);
  const texts = split(part.slice(head.length + 2).trimEnd());
  const counts = { formulas: Number(formulas), code: Number(code) };
  return { name: `${topic}: ${name}`, question, value: value || null, mode, ...counts, ...texts };
}
