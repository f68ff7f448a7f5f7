// The states of the page that people see, to look at, to check with axe and to take pictures of.
// Each is brought about without words, so that it is the same in both languages.

import { until } from "./browser.mjs";
import { answers } from "./recording.mjs";
import { error } from "./replayer.mjs";

const ANSWERS = answers();
const named = (name) => ANSWERS.find((one) => one.name === name);
const LONG = named("long: an AIME problem with a long thinking");
const PROOF = named("long: a long proof with many steps");
const CODE = named("code: dynamic programming with a table");
const ETA = { seconds: 1_080, low: 600, high: 2_400 };
const isAnswer = ({ part }) => part === "answer";
const HOUR_S = 3_600;

const field = (page) => page.getByRole("textbox").first();
/** The one button of the thinking that opens it. */
const thinking = (page) => page.locator("button.job-thinking-line");

const HINT = {
  thinking: "The pupil should look at the discriminant. The answer is $\\boxed{3}$.",
  answer:
    "Look at the term under the root: what has to be true of $b^2 - 4ac$ so that the "
    + "equation has exactly one solution? Which value of $k$ gives that?",
  value: null,
};
const REVIEW = {
  thinking: "Line 2 has a wrong sign.",
  answer:
    "Your plan is good.\n\n**Line 2:** expanding $(x-2)(x-3)$ gives $x^2 - 5x + 6$; you wrote "
    + "$+5x$.\n\n**Line 3** follows correctly from line 2.\n\nTry line 2 again.",
  value: null,
};
const WORK = "Line 1: (x-2)(x-3) = 0\nLine 2: x^2 + 5x + 6 = 0\nLine 3: x = -2 or x = -3";

/** Shows a job of the server on the page. */
async function show(page, server, options, play = () => {}) {
  const job = server.add({ attempts: [LONG], question: LONG.question, eta: ETA, ...options });
  play(job);
  await page.evaluate((id) => (location.hash = `#job/${id}`), job.id);
  await until("the job to be shown", () => job.isOver || job.readers > 0);
  if (job.text(job.best, "answer"))
    await page.locator("main .block").filter({ visible: true }).first().waitFor();
  return job;
}

const all = (job) => job.stepAll();

/** Fills the history with questions of some days. */
function fill(server) {
  const now = Math.floor(Date.now() / 1000);
  for (const [at, one] of ANSWERS.slice(0, 14).entries()) {
    const job = server.add({
      attempts: [one],
      question: one.question,
      mode: one.mode,
      askedAt: now - (14 - at) * 9 * HOUR_S,
    });
    if (at === 3) job.end("stopped");
    else if (at === 5) job.end("failed", { error: error("no_memory").error });
    else if (at === 13) job.step(50);
    else job.stepAll();
  }
}

/** Each state by its name: what brings a page that has just been opened there. */
export const STATES = {
  ask: async (page) => field(page).waitFor(),
  "ask-typed": async (page) => {
    await field(page).fill("For which $k$ has $x^2 + kx + \\frac{9}{4} = 0$ exactly one solution?");
    await page.locator(".katex").filter({ visible: true }).first().waitFor();
  },
  "ask-refused": async (page, server) => {
    const headers = { "Retry-After": "40" };
    server.refuse("POST", "/api/jobs", { status: 429, body: error("too_many"), headers });
    await field(page).fill("What is 17 · 23?");
    await page.locator("button[type=submit]").click();
    await page.locator(".bad").filter({ visible: true }).first().waitFor();
  },
  "in-line": (page, server) => show(page, server, { place: 3 }),
  thinking: (page, server) => show(page, server, {}, (job) => job.step(400)),
  "thinking-opened": async (page, server) => {
    await show(page, server, {}, (job) => job.step(400));
    await thinking(page).click();
    await page.locator(".katex").filter({ visible: true }).first().waitFor();
  },
  answering: (page, server) =>
    show(page, server, {}, (job) => {
      job.stepTo(isAnswer);
      job.step(260);
    }),
  "answer-agreed": async (page, server) => {
    const attempts = [LONG, { ...LONG, value: "602" }, { ...LONG, value: "600" }, LONG];
    const job = await show(page, server, { attempts, ask: { attempts: 4 } }, all);
    await page.locator(".katex").filter({ visible: true }).first().waitFor();
    return job;
  },
  "answer-guess": (page, server) => show(page, server, {}, all),
  hint: (page, server) =>
    show(page, server, { attempts: [HINT], mode: "hint", question: "For which $k$ …?" }, all),
  review: (page, server) =>
    show(
      page,
      server,
      {
        attempts: [REVIEW],
        ask: { mode: "review", attempt_of_student: WORK },
        question: "Solve it.",
      },
      all,
    ),
  history: async (page, server) => {
    fill(server);
    await page.evaluate(() => (location.hash = "#history"));
    await page.getByRole("listitem").nth(8).waitFor();
  },
};

/** More states that are checked and not pictured. */
export const MORE_STATES = {
  code: (page, server) => show(page, server, { attempts: [CODE], mode: "code" }, all),
  proof: (page, server) => show(page, server, { attempts: [PROOF], mode: "proof" }, all),
  failed: (page, server) =>
    show(page, server, {}, (job) => {
      job.step(30);
      job.end("failed", { error: error("no_memory").error });
    }),
  stopped: (page, server) =>
    show(page, server, {}, (job) => {
      job.step(300);
      job.end("stopped");
    }),
  gone: async (page, server) => {
    await show(page, server, {}, (job) => job.step(200));
    // What the page loads once a job is shown is there.
    await page.waitForTimeout(800);
    server.refuse("GET", /^\/(api|healthz)/, { status: 502, times: 1e6 });
    server.cut();
    await page.waitForTimeout(500);
  },
  "history-empty": (page) => page.evaluate(() => (location.hash = "#history")),
};
