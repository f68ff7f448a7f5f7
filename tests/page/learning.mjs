// Learning: a ladder of hints and checks in which nothing gives the solution away before it is
// asked for.

import assert from "node:assert/strict";
import { until } from "./browser.mjs";
import { check, run } from "./harness.mjs";
import { button, jobPart, openJob, seeText, thinkingLine } from "./parts.mjs";

const PROBLEM = "Solve $x^2 - 5x + 6 = 0$.";
const HINT = {
  thinking: "The roots are $2$ and $3$, so the answer is $\\boxed{2, 3}$. I must not say so.",
  answer:
    "Which two numbers have the product $6$ and the sum $5$?\n\n(The answer is $\\boxed{2, 3}$.)",
  value: "2, 3",
};
const REVIEW = {
  thinking: "Line 2 is wrong; right is $\\boxed{2, 3}$.",
  answer:
    "Your beginning is right.\n\n**Line 2:** the sign of $5$ is wrong.\n\n"
    + "- Line 3 follows from line 2.\n\nIn the end one gets $\\boxed{2, 3}$.",
  value: null,
};
const SOLUTION = { thinking: "Factor.", answer: "So $\\boxed{2, 3}$.", value: "2, 3" };

/** Opens the page of a hint that is there. */
async function hinted(t) {
  const server = await t.replayer();
  server.onAsk = ({ mode }) => ({
    attempts: [{ hint: HINT, review: REVIEW }[mode] ?? SOLUTION],
    perSecond: 500,
  });
  const job = server.add({ attempts: [HINT], ask: { mode: "hint" }, question: PROBLEM });
  job.stepAll();
  const page = await openJob(t, server, job);
  await seeText(page, "Ready");
  return { server, job, page };
}

const sent = (server) => JSON.parse(server.asked("POST", "/api/jobs").pop().body);

/** Fails if the solution can be read, even by a search or a screen reader. */
async function keepsSecret(page) {
  const text = await page.evaluate(() => document.body.textContent);
  assert.ok(!/boxed\{2, 3\}|2,\s*3/.test(text), text);
  assert.equal(await thinkingLine(page).count(), 0);
}

check(
  "a hint shows neither its thinking nor a boxed value, while it comes and after",
  async (t) => {
    const server = await t.replayer();
    const job = server.add({ attempts: [HINT], ask: { mode: "hint" }, question: PROBLEM });
    const page = await openJob(t, server, job);
    await until("a reader", () => job.readers === 1);
    while (!job.isOver) {
      job.step(3);
      await page.waitForTimeout(20);
      await keepsSecret(page);
    }
    await seeText(page, "Ready");
    await seeText(page, /Which two numbers have the product/);
    await keepsSecret(page);
  },
);

check("the next hint goes on from the hint before and stands after it", async (t) => {
  const { server, job, page } = await hinted(t);
  await page.getByRole("button", { name: /^Next hint/ }).click();
  await until("the question", () => server.asked("POST", "/api/jobs").length === 1);
  assert.equal(sent(server).mode, "hint");
  assert.equal(sent(server).previous, job.id);
  await seeText(page, "Ready");
  await keepsSecret(page);
});

check("a pupil's work is sent with numbered lines, and remarks stand beside theirs", async (t) => {
  const { server, page } = await hinted(t);
  await page.getByRole("button", { name: /^Check my work/ }).click();
  const work = page.getByRole("textbox", { name: "Your work, one step in each line" });
  await work.fill("x^2 - 5x + 6 = 0\n(x+2)(x+3) = 0\nx = -2 or x = -3");
  await button(page, "Check it").click();
  await until("the work", () => server.asked("POST", "/api/jobs").length === 1);
  const ask = sent(server);
  assert.equal(ask.mode, "review");
  assert.match(ask.attempt_of_student, /^Line 1: x\^2 .*\nLine 2: .*\nLine 3: /);
  await seeText(page, "Ready");
  const second = page.getByRole("listitem").filter({ hasText: "(x+2)(x+3) = 0" });
  await second.getByText(/the sign of/).waitFor();
  const third = page.getByRole("listitem").filter({ hasText: "x = -2 or x = -3" });
  await third.getByText(/follows from/).waitFor();
  await seeText(page, /Your beginning is right/);
  await keepsSecret(page);
});

check("the full solution asks once: really?", async (t) => {
  const { server, job, page } = await hinted(t);
  await page.getByRole("button", { name: /^Full solution/ }).click();
  await seeText(page, /Really\?/);
  assert.equal(server.asked("POST", "/api/jobs").length, 0);
  await button(page, "Not yet").click();
  await page.getByRole("button", { name: /^Full solution/ }).click();
  await button(page, "Yes, show it").click();
  await until("the question", () => server.asked("POST", "/api/jobs").length === 1);
  assert.equal(sent(server).mode, "math");
  assert.equal(sent(server).previous, job.id);
  await seeText(page, "Ready");
  await jobPart(page).locator("p", { hasText: "Answer:" }).first().locator(".katex").waitFor();
});

check("once the solution was asked for, the hints before it hide nothing", async (t) => {
  const { server, job, page } = await hinted(t);
  const solved = server.add({ attempts: [SOLUTION], ask: { previous: job.id }, question: PROBLEM });
  solved.stepAll();
  await page.reload();
  await thinkingLine(page).waitFor();
});

await run();
