// Coming back: the questions of this browser, from the box.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { until } from "./browser.mjs";
import { check, run } from "./harness.mjs";
import { ask, button, heldText, lexerLoaded, openJob, question, seeText } from "./parts.mjs";
import { answers } from "./recording.mjs";
import { error } from "./replayer.mjs";

const ANSWERS = answers();
const NETWORK = /console: Failed to load resource/;

/** Opens the history of a box with so many answered questions. */
async function listed(t, count = 12) {
  const server = await t.replayer();
  for (let at = 0; at < count; at++) {
    const one = ANSWERS[at % ANSWERS.length];
    const question = `${one.question} (number ${at + 1})`;
    server
      .add({ attempts: [one], question, mode: one.mode, askedAt: 1_790_000_000 + at })
      .stepAll();
  }
  const page = await t.open(server, { path: "/#history" });
  await page.getByRole("listitem").first().waitFor();
  return { server, page };
}

const focused = (page) => page.evaluate(() => document.activeElement.tagName);

const entry = (page, number) =>
  page.getByRole("listitem").filter({ hasText: `(number ${number})` });

check("it lists all questions of this browser, the newest first, and opens one", async (t) => {
  const { page } = await listed(t);
  assert.equal(await page.getByRole("listitem").count(), 12);
  assert.match(await page.getByRole("listitem").first().textContent(), /number 12/);
  assert.match(await entry(page, 1).textContent(), /Answer: 2, 3/);
  await entry(page, 1).getByRole("link").click();
  await seeText(page, "Ready");
  await page.goBack();
  await entry(page, 1).waitFor();
});

check("more than a page of them are shown on demand", async (t) => {
  const { page } = await listed(t, 70);
  await button(page, "Show older questions").click();
  await entry(page, 1).waitFor();
  assert.equal(await page.getByRole("listitem").count(), 70);
});

check("search finds questions by their words and their answers", async (t) => {
  const { page } = await listed(t, 70);
  const search = page.getByRole("searchbox");
  await search.fill("number 3)");
  await seeText(page, "1 problem found");
  assert.equal(await page.getByRole("listitem").count(), 1);
  await search.fill("1025");
  await until(
    "the answer to be found",
    async () => (await page.getByRole("listitem").count()) >= 1,
  );
  await search.fill("no such words");
  await seeText(page, /^Nothing found/);
});

check("a state is shown and kept up to date", async (t) => {
  const server = await t.replayer();
  const job = server.add({ attempts: [ANSWERS[0]], question: "Still going?" });
  job.step(30);
  const page = await t.open(server, { path: "/#history" });
  await seeText(page, "Being answered");
  job.stepAll();
  await seeText(page, /Answer: 2, 3/);
});

check(
  "an answer that came while one was elsewhere is marked as new until it is read",
  async (t) => {
    const server = await t.replayer();
    const page = await t.open(server);
    const job = await ask(page, "Wait for me");
    await until("a reader", () => job.readers === 1);
    await page.getByRole("link", { name: "New question" }).click();
    job.stepAll();
    await page.getByRole("link", { name: "Your questions" }).click();
    const item = page.getByRole("listitem").filter({ hasText: "Wait for me" });
    await item.getByText("New", { exact: true }).waitFor();
    await item.getByRole("link").click();
    await seeText(page, "Ready");
    await page.getByRole("link", { name: "Your questions" }).click();
    await item.waitFor();
    assert.equal(await item.getByText("New", { exact: true }).count(), 0);
  },
);

check("one question is deleted, after asking", async (t) => {
  const { server, page } = await listed(t);
  await entry(page, 5)
    .getByRole("button", { name: /^Delete/ })
    .click();
  await button(page, "Keep").click();
  assert.equal(server.jobs.size, 12);
  await entry(page, 5)
    .getByRole("button", { name: /^Delete/ })
    .click();
  await button(page, "Yes, delete").click();
  await entry(page, 5).waitFor({ state: "detached" });
  assert.equal(server.jobs.size, 11);
});

check("a question that cannot be deleted stays and says why", async (t) => {
  t.allow(NETWORK);
  const { server, page } = await listed(t);
  server.refuse("DELETE", /^\/api\/jobs\//, { status: 500, body: error("internal") });
  await entry(page, 5)
    .getByRole("button", { name: /^Delete/ })
    .click();
  await button(page, "Yes, delete").click();
  await seeText(page, /Something went wrong inside the box/);
  assert.equal(server.jobs.size, 12);
});

check("all questions are deleted, after asking", async (t) => {
  const { server, page } = await listed(t);
  await button(page, "Delete all").click();
  await button(page, "Yes, delete all").click();
  await seeText(page, "You have not asked anything yet.");
  assert.equal(server.asked("DELETE", "/api/browser").length, 1);
});

for (const [format, name] of [
  ["Markdown", /\.md$/],
  ["JSON", /\.json$/],
]) {
  check(`the history is saved as ${format}`, async (t) => {
    const { page } = await listed(t, 5);
    const coming = page.waitForEvent("download");
    await page.getByRole("button", { name: new RegExp(format) }).click();
    const download = await coming;
    assert.match(download.suggestedFilename(), name);
    const text = readFileSync(await download.path(), "utf8");
    for (const { answer } of ANSWERS.slice(0, 5)) {
      const needed =
        format === "JSON"
          ? JSON.stringify(answer.trim()).slice(1, -1)
          : answer.trim().split("\n")[0];
      assert.ok(text.includes(needed), needed);
    }
    if (format === "JSON") assert.equal(JSON.parse(text).length ?? JSON.parse(text).jobs.length, 5);
  });
}

check("steps on one problem stand together", async (t) => {
  const server = await t.replayer();
  const hint = { answer: "Look at the sign.", value: null };
  const first = server.add({ attempts: [hint], mode: "hint", question: "Solve it, please." });
  first.stepAll();
  const next = server.add({
    attempts: [hint],
    ask: { mode: "hint", previous: first.id },
    question: "Next?",
  });
  next.stepAll();
  server.add({ attempts: [ANSWERS[0]], question: "Another" }).stepAll();
  const page = await t.open(server, { path: "/#history" });
  const steps = page.getByRole("list", { name: "2 steps on one problem" });
  await steps.waitFor();
  assert.equal(await steps.getByRole("listitem").count(), 2);
});

check("a box that is gone is said, and the list comes when it is back", async (t) => {
  t.allow(NETWORK);
  const server = await t.replayer();
  server.add({ attempts: [ANSWERS[0]], question: "Am I here?" }).stepAll();
  const page = await t.open(server);
  await page.getByRole("textbox").first().waitFor();
  server.refuse("GET", "/api/jobs", { status: 503, body: error("busy"), times: 1 });
  await page.getByRole("link", { name: "Your questions" }).click();
  await seeText(page, /too much to do/);
  await button(page, "Try again").click();
  await seeText(page, "Am I here?");
});

check("Back and Forward go through questions, list and form", async (t) => {
  const { page } = await listed(t, 3);
  await entry(page, 2).getByRole("link").click();
  await seeText(page, "Ready");
  await page.getByRole("link", { name: "New question" }).click();
  await page.getByRole("textbox", { name: "Your question" }).waitFor();
  await page.goBack();
  await seeText(page, "Ready");
  await page.goBack();
  await entry(page, 2).waitFor();
  await page.goForward();
  await seeText(page, "Ready");
});

check("a question that is deleted while it runs is not thought about for ever", async (t) => {
  const server = await t.replayer();
  const job = server.add({ attempts: [ANSWERS[0]] });
  const page = await openJob(t, server, job);
  job.step(5);
  await button(page, "Stop").waitFor();
  await until("the page to follow the job", async () => {
    const held = await heldText(page).catch(() => null);
    return job.readers > 0 && held !== null && held.thinking !== "";
  });
  await lexerLoaded(page);
  t.allow(NETWORK);
  server.jobs.delete(job.id);
  server.cut();
  await seeText(page, "No longer followed");
  await seeText(page, /This question is not in the box any more/);
  await until("the title", async () => /^No longer followed/.test(await page.title()));
  assert.equal(await button(page, "Stop").count(), 0);
  assert.equal((await heldText(page)).thinking.trim(), job.text(0, "thinking").trim());
  await button(page, "Ask this question again").click();
  await question(page).waitFor();
  assert.notEqual(await focused(page), "BODY");
});

check("the focus does not fall out of the view when another one comes", async (t) => {
  const { page } = await listed(t, 2);
  await entry(page, 1).getByRole("link").click();
  await seeText(page, "Ready");
  await until("the focus", async () => (await focused(page)) === "MAIN");
});

await run();
