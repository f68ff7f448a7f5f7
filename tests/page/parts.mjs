// The parts of the page by role and name, as a person who uses a screen reader finds them, and what
// checks often do with them. All in English; checks of Chinese have their own words.

import { until } from "./browser.mjs";

/** Tokens of a job that takes some seconds. */
const TOKENS = 2_500;

export const question = (page) => page.getByRole("textbox", { name: "Your question" });
export const ownWork = (page) => page.getByRole("textbox", { name: "Your own work" });
export const button = (page, name) => page.getByRole("button", { name, exact: true });
export const radio = (page, name) => page.getByRole("radio", { name });
/** The line of the thinking, where it can be opened. */
export const thinkingLine = (page) => page.getByRole("button", { name: /^\W*Thinking/ });
/** The part that has the answer, its value and its votes. */
export const jobPart = (page) => page.getByRole("region", { name: "The answer to your question" });

/** Types a question and asks it; returns the job of the replayer. */
export async function ask(page, text = "What is $2 + 2$?") {
  const before = page.box.jobs.size;
  await question(page).fill(text);
  await button(page, "Ask").click();
  await until("the question to be asked", () => page.box.jobs.size > before);
  await page.waitForURL(/#job\//);
  return page.box.last;
}

/**
 * Asks a real box in the page's name for a job that takes some seconds, as it generates to the end
 * of its budget; returns its ID.
 */
export function askLong(page, more = {}) {
  return page.evaluate(
    async (ask) => {
      const reply = await fetch("/api/jobs", { method: "POST", body: JSON.stringify(ask) });
      return (await reply.json()).id;
    },
    {
      question: "What is 348 + 577?",
      mode: "math",
      attempts: 1,
      ignore_eos: true,
      seed: 7,
      budget_tokens: Math.floor(TOKENS / (more.attempts ?? 1)),
      ...more,
    },
  );
}

/** Opens the page of a job that the box has. */
export async function openJob(t, server, job, settings = {}) {
  return t.open(server, { path: `/#job/${job.id}`, ...settings });
}

/**
 * Returns the texts of an attempt that the page holds, byte for byte, which the screen does not
 * show exactly: from the job in the properties of its components.
 */
export function heldText(page, attempt = null) {
  return page.evaluate((attempt) => {
    const jobs = [];
    const walk = (node) => {
      const job = node?.props?.job;
      if (typeof job?.text === "function") jobs.push(job);
      for (const child of node?.__k ?? []) walk(child);
    };
    walk(document.getElementById("app").__k);
    const [job] = jobs;
    if (!job) throw new Error("no component has the job");
    const of = attempt ?? job.shownAttempt.value;
    const { state } = job.info.value;
    const [thinking, answer] = [job.text(of, "thinking"), job.text(of, "answer")];
    return { thinking, answer, state, holds: job.holds(of) };
  }, attempt);
}

/**
 * Waits until the page has the part that reads texts. A part that is cut off on its way makes the
 * page load itself again, which is a fault unless a check is about that.
 */
export function lexerLoaded(page) {
  return until("the lexer and what it imports to be there", () =>
    page.evaluate(async () => {
      const loaded = performance.getEntriesByType("resource");
      const lexer = loaded.find(({ name }) => name.includes("/lexer-"));
      return lexer !== undefined && (await import(lexer.name)) !== undefined;
    }),
  );
}

/** Returns what a part of the page shows: without MathML and code, formulas as nothing. */
export function visibleProse(locator) {
  return locator.evaluate((element) => {
    const copy = element.cloneNode(true);
    for (const left of copy.querySelectorAll(".katex, code, pre")) left.remove();
    return copy.textContent;
  });
}

/** Waits until a text stands on the page where a person can see it. */
export function seeText(page, text) {
  return page.getByText(text).filter({ visible: true }).first().waitFor();
}

/** Returns whether an element is within the part of the page that the screen shows. */
export function isOnScreen(locator) {
  return locator.evaluate((element) => {
    const { top, bottom, left, right } = element.getBoundingClientRect();
    return top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth + 1;
  });
}
