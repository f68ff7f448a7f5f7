// The list of a browser's questions: its pages, the steps of a problem, the search, and the file.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Job, ListedJob } from "../src/api/shapes.ts";
import { type ExportWords, jsonOf, markdownOf } from "../src/jobs/export.ts";
import { type Pages, addPage, refresh } from "../src/jobs/pages.ts";
import { problemsOf, search } from "../src/jobs/problems.ts";
import { trimmed } from "../src/jobs/trim.ts";
import { fullTime, shortTime } from "../src/views/history/when.ts";

function listed(id: string, change: Partial<ListedJob> = {}): ListedJob {
  return {
    id, state: "done", mode: "math", question: `question ${id}`, previous: null,
    attempts_wanted: 1, asked_at: 0, ended_at: 0, value: null, ...change,
  };
}

const jobs = (...ids: string[]) => ids.map((id) => listed(id));
const ids = (list: { id: string }[]) => list.map(({ id }) => id).join("");

test("a new first page replaces what it covers and keeps what is older", () => {
  const known: Pages = { jobs: jobs("e", "d", "c", "b", "a"), next: null };
  const grown = refresh(known, { jobs: jobs("f", "e", "d"), next: "d" });
  assert.deepEqual([ids(grown.jobs), grown.next], ["fedcba", null]);
  // d was deleted by another tab.
  const less = refresh(known, { jobs: jobs("f", "e", "c"), next: "c" });
  assert.deepEqual([ids(less.jobs), less.next], ["fecba", null]);
  const all = refresh(known, { jobs: jobs("f", "b"), next: null });
  assert.deepEqual([ids(all.jobs), all.next], ["fb", null]);
  const far = refresh(known, { jobs: jobs("z", "y"), next: "y" });
  assert.deepEqual([ids(far.jobs), far.next], ["zy", "y"]);
  assert.deepEqual(refresh(known, { jobs: [], next: null }).jobs, []);
});

test("a page is added once, and only where the list still ends there", () => {
  const known: Pages = { jobs: jobs("e", "d"), next: "d" };
  const page = { jobs: jobs("d", "c", "b"), next: "b" };
  const grown = addPage(known, page, "d");
  assert.deepEqual([ids(grown.jobs), grown.next], ["edcb", "b"]);
  assert.deepEqual(addPage(grown, page, "d"), grown);
});

test("jobs that go on from each other are the steps of one problem, the first one first", () => {
  const list = [
    listed("f", { previous: "c" }), listed("e"), listed("d", { previous: "a" }),
    listed("c", { previous: "b" }), listed("b", { previous: "a" }), listed("a"),
  ];
  const problems = problemsOf(list);
  assert.deepEqual(problems.map(({ key, steps }) => [key, ids(steps)]), [
    ["a", "abcdf"], ["e", "e"],
  ]);
});

test("steps stay together where the first one is not listed any more", () => {
  const list = [listed("c", { previous: "gone" }), listed("b"), listed("a", { previous: "gone" })];
  assert.deepEqual(problemsOf(list).map(({ steps }) => ids(steps)), ["ac", "b"]);
});

test("a circle of jobs ends", () => {
  const list = [listed("a", { previous: "b" }), listed("b", { previous: "a" })];
  const steps = problemsOf(list).flatMap((problem) => problem.steps);
  assert.equal(steps.length, 2);
  assert.equal(problemsOf([listed("a", { previous: "a" })]).length, 1);
});

test("a chain of thousands is grouped quickly", () => {
  const list = Array.from({ length: 5_000 }, (_, index) =>
    listed(String(5_000 - index), { previous: index < 4_999 ? String(4_999 - index) : null }));
  assert.equal(problemsOf(list).length, 1);
  assert.equal(problemsOf([...list].reverse()).length, 1);
});

test("a search takes its words as they stand before it takes them in any order", () => {
  const sums = problemsOf([
    listed("c", { question: "10 + y = x" }), listed("b", { question: "x + y = 10" }),
    listed("a", { question: "Let x  +\ny = 100" }),
  ]);
  const foundIn = (query: string) =>
    search(sums, query, ({ question }) => question).map(({ key }) => key).join("");
  assert.deepEqual(["x + y = 10", "y = 10", "10 x"].map(foundIn), ["ba", "ba", "cba"]);
});

test("a search finds problems by all its words, in questions and values of any step", () => {
  const problems = problemsOf([
    listed("c", { question: "Löse x² = 9", value: "3" }),
    listed("b", { question: "next hint", previous: "a" }),
    listed("a", { question: "Area of a Circle", value: "2\\pi" }),
  ]);
  const text = ({ question, value }: ListedJob) => `${question}\n${value ?? ""}`;
  const found = (query: string) => search(problems, query, text).map(({ steps }) => ids(steps));
  assert.deepEqual(found("circle AREA"), ["ab"]);
  assert.deepEqual(found("HINT"), ["ab"]);
  assert.deepEqual(found("\\pi"), ["ab"]);
  assert.deepEqual(found("löse x2"), ["c"]);
  assert.deepEqual(found("９"), ["c"]);
  assert.deepEqual(found("circle löse"), []);
  assert.deepEqual(found("  "), ["c", "ab"]);
  const numbers = problemsOf([
    listed("a", { question: "13 + 113" }), listed("b", { question: "13 = 3" }),
  ]);
  const foundOf = (query: string) =>
    search(numbers, query, text).map(({ key }) => key).join("");
  assert.deepEqual(["3", "1", "13", "113", "133"].map(foundOf), ["b", "ab", "ab", "a", ""]);
});

test("texts are trimmed by Unicode's white space, as the box does", () => {
  assert.equal(trimmed(" \n\u0085\u3000a b \u0085\n", true), "a b");
  assert.equal(trimmed("\uFEFFa\uFEFF", true), "\uFEFFa\uFEFF");
  assert.equal(trimmed(" a ", false), "a ");
  assert.equal(trimmed(" \n ", true), "");
});

const WORDS: ExportWords = {
  title: "Questions", work: "Own work", cutOff: "cut off",
  value: (value) => `Answer: ${value}`, votes: (ended) => `${ended} attempts:`,
  states: {
    queued: "in line", running: "running", done: "done", stopped: "stopped", failed: "failed",
  },
  modeOf: (mode) => mode.toUpperCase(), time: (seconds) => `t${seconds}`,
};

function whole(change: Partial<Job>): Job {
  return {
    id: "j", state: "done", mode: "math", question: "What is $\\frac12$?", previous: null,
    attempt_of_student: null, asked_at: 7, ended_at: 9, attempts_wanted: 1, budget_tokens: 1,
    offset: "0", place: null, eta: null, thinking: "t", answer: "It is $\\frac12$.",
    best_attempt: 0, attempts_ended: 1, attempt_results: [], votes: null, value: "\\frac12",
    finish: "done", ...change,
  };
}

test("a Markdown file has question, work, votes and answer, with formulas as TeX", () => {
  const votes = {
    wanted: 4, ended: 3, agreement: 1, best_attempt: 0,
    votes: [{ value: "7", count: 2, attempt_indices: [0, 1] },
      { value: "x^2", count: 1, attempt_indices: [2] }],
  };
  const text = markdownOf([
    whole({}),
    whole({ votes, value: "7", attempt_of_student: "a\n\n# b", mode: "code", finish: "budget" }),
    whole({ state: "running", value: null, answer: "" }),
  ], WORDS);
  assert.equal(text, "# Questions\n\n"
    + "*t7 · MATH*\n\n> What is $\\frac12$?\n\n**Answer: $\\frac12$**\n\n"
    + "It is $\\frac12$.\n\n---\n\n"
    + "*t7 · CODE*\n\n> What is $\\frac12$?\n\n**Own work**\n\n> a\n>\n> # b\n\n"
    + "*cut off*\n\n"
    + "**Answer: 7**\n\n3 attempts:\n\n- 7: 2\n- $x^2$: 1\n\nIt is $\\frac12$.\n\n---\n\n"
    + "*t7 · MATH*\n\n> What is $\\frac12$?\n\n*running*\n");
});

test("a JSON file is what the box sent", () => {
  assert.deepEqual(JSON.parse(jsonOf([whole({})])), { jobs: [whole({})] });
});

test("times are as short as they stay clear, in the page's language", () => {
  const now = new Date(2026, 10, 30, 20, 0);
  type Parts = [year: number, month: number, day: number, hour: number, minute: number];
  const at = (...date: Parts) => new Date(...date).getTime() / 1000;
  const short = (seconds: number, language: string) =>
    shortTime(seconds, language, now).replace(/\s/g, " ");
  assert.equal(short(at(2026, 10, 30, 8, 5), "en"), "8:05 AM");
  assert.match(short(at(2026, 10, 30, 8, 5), "zh-CN"), /^0?8:05$/);
  assert.equal(short(at(2026, 0, 2, 8, 5), "en"), "Jan 2, 8:05 AM");
  assert.match(short(at(2026, 0, 2, 8, 5), "zh-CN"), /^1月2日 0?8:05$/);
  assert.equal(short(at(2025, 0, 2, 8, 5), "en"), "Jan 2, 2025, 8:05 AM");
  assert.match(fullTime(at(2026, 10, 30, 8, 5), "zh-CN"), /2026年11月30日/);
});
