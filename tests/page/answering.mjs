// The answer: its value and votes, what is copied and printed, and what can be done with it.

import assert from "node:assert/strict";
import { until } from "./browser.mjs";
import { check, run } from "./harness.mjs";
import { button, jobPart, openJob, radio, question, seeText } from "./parts.mjs";
import { answers } from "./recording.mjs";

const ANSWERS = answers();
const named = (name) => ANSWERS.find((one) => one.name === name);
const GOLDEN = named("algebra: radicals and nested fractions");
const CODE = named("code: two sum in Python");
const attempt = (value, text = `It is $\\boxed{${value}}$.`) => ({
  thinking: "Hm.",
  answer: text,
  value,
});

/** Runs in the page before its script: keeps what is copied. */
function keepCopies() {
  document.addEventListener("copy", (event) => {
    const field = document.activeElement;
    const marked = field?.value?.slice(field.selectionStart, field.selectionEnd);
    globalThis.copied =
      event.clipboardData.getData("text/plain") || marked || document.getSelection().toString();
  });
}

/** Opens the page of a job that has ended. */
async function answered(t, options, { context: settings = {} } = {}) {
  const server = await t.replayer();
  const job = server.add(options);
  job.stepAll();
  const context = await t.context(settings);
  await context.addInitScript(keepCopies);
  const page = await t.openIn(context, server, `/#job/${job.id}`);
  await seeText(page, /^(Ready|Ready, but cut off)$/);
  return { server, job, page };
}

const copied = (page) => until("a copy", () => page.evaluate(() => globalThis.copied));

check("the value stands on top, typeset", async (t) => {
  const { page } = await answered(t, { attempts: [GOLDEN] });
  const part = jobPart(page);
  await part.getByText("Answer:").first().waitFor({ state: "attached" });
  const value = part.locator("p", { hasText: "Answer:" }).first();
  await value.locator(".katex").waitFor();
  const answer = page.getByRole("region", { name: "Answer", exact: true });
  const [above, below] = [await value.boundingBox(), await answer.boundingBox()];
  assert.ok(above.y + above.height <= below.y);
});

for (const [name, values, says, level] of [
  ["agree", ["4", "4", "4", "4"], "All 4 attempts agree.", "strong agreement"],
  ["mostly agree", ["4", "4", "5", "4"], "3 of 4 attempts agree.", "strong agreement"],
  ["hardly agree", ["4", "4", "5", "6"], "2 of 4 attempts agree.", "weak agreement"],
  ["do not agree", ["4", "5", "6", "7"], "Of 4 attempts no two agree.", "a guess"],
]) {
  check(`four attempts that ${name} are told so, with each answer to open`, async (t) => {
    const attempts = values.map((value, at) => attempt(value, `Way ${at}: $\\boxed{${value}}$.`));
    const { page } = await answered(t, { attempts, ask: { attempts: 4 } });
    await seeText(page, says);
    await seeText(page, level);
    const votes = page.getByRole("region", { name: "All answers" });
    const rows = votes.getByRole("listitem");
    await rows.first().waitFor();
    assert.equal(await rows.count(), new Set(values).size);
    const last = rows.last();
    await last.getByRole("button", { expanded: false }).click();
    await last
      .getByRole("button", { name: /^Attempt/ })
      .first()
      .click();
    await last
      .getByText(/^Way \d/)
      .filter({ visible: true })
      .waitFor();
  });
}

check("one attempt is a guess, and is checked with four new ones", async (t) => {
  const { server, page } = await answered(t, { attempts: [attempt("4")], question: "2+2?" });
  await seeText(page, "a guess");
  await button(page, "Check with 4 new attempts").click();
  await until("the question", () => server.asked("POST", "/api/jobs").length === 1);
  const sent = JSON.parse(server.asked("POST", "/api/jobs")[0].body);
  assert.equal(sent.question, "2+2?");
  assert.equal(sent.attempts, 4);
  assert.equal(sent.previous, undefined);
});

for (const mode of ["hint", "review", "proof"]) {
  check(`a ${mode} has no value, no votes and no verdict`, async (t) => {
    const ask = { mode, attempt_of_student: mode === "review" ? "x = 4" : undefined };
    const { page } = await answered(t, { attempts: [attempt("4")], ask });
    const part = jobPart(page);
    const offer = /^Check with 4 new attempts$/;
    for (const absent of [/a guess/, /attempts? agree/, offer, /^Answer:$/]) {
      assert.equal(await part.getByText(absent).count(), 0, String(absent));
    }
  });
}

check("Copy copies the answer's Markdown, byte for byte", async (t) => {
  const { job, page } = await answered(t, { attempts: [GOLDEN] });
  await button(page, "Copy").first().click();
  const text = await copied(page);
  assert.ok(text.includes(job.text(0, "answer")), text);
  await seeText(page, "Copied");
});

check("a marked part is copied as Markdown with its formulas as TeX", async (t) => {
  const { page } = await answered(t, { attempts: [GOLDEN] });
  const answer = page.getByRole("region", { name: "Answer", exact: true });
  // Follows the answer once all of it is there.
  await button(page, "Copy").waitFor();
  await answer.evaluate((element) => document.getSelection().selectAllChildren(element));
  await page.keyboard.press("Control+c");
  const text = await copied(page);
  assert.match(text, /\$x = 1 \+ \\dfrac\{1\}\{x\}\$/);
  assert.match(text, /\$\$\s*x = 1 \+ \\cfrac/);
  assert.equal(text.match(/golden|1\+5​/g), null);
});

check("code is highlighted and copied as it is", async (t) => {
  const { page } = await answered(t, { attempts: [CODE], ask: { mode: "code" } });
  const code = page.locator("pre code, code[class]").first();
  await until("colours", async () => (await page.locator("pre span").count()) > 5);
  assert.match(await page.locator("pre").first().textContent(), /\$v \\mapsto i\$/);
  await page
    .getByRole("button", { name: /^Copy( the)? code/ })
    .first()
    .click();
  const text = await copied(page);
  assert.ok(CODE.answer.includes(text.trim()), text);
  assert.match(text, /^import sys\n/);
  void code;
  assert.equal(await page.getByRole("button", { name: "Run" }).count(), 0);
});

check("printed, there are question, answer, votes and date and no buttons", async (t) => {
  const attempts = ["4", "4", "5"].map((value) => attempt(value));
  const options = { attempts, ask: { attempts: 3 }, question: "What is $2+2$, please?" };
  const { page } = await answered(t, options);
  await page.emulateMedia({ media: "print" });
  await seeText(page, /What is/);
  await seeText(page, /Asked on/);
  await seeText(page, "2 of 3 attempts agree.");
  await page.getByRole("region", { name: "Answer", exact: true }).waitFor();
  const buttons = page.getByRole("button", { name: /^(Copy|Print|Ask again|Stop|New question)$/ });
  const visible = await buttons.filter({ visible: true }).count();
  assert.equal(visible, 0);
  assert.equal(
    await page.getByText("Hm.").filter({ visible: true }).count(),
    0,
    "thinking is folded",
  );
});

check("Print prints", async (t) => {
  const { page } = await answered(t, { attempts: [GOLDEN] });
  await page.evaluate(() => (globalThis.print = () => (globalThis.isPrinted = true)));
  await button(page, "Print").click();
  await until("the printer", () => page.evaluate(() => globalThis.isPrinted));
});

check("Ask again puts the question, its mode and its attempts into the form", async (t) => {
  const options = {
    attempts: [attempt("4"), attempt("4"), attempt("4"), attempt("4")],
    ask: { attempts: 4, mode: "plain" },
    question: "Twice?",
  };
  const { page } = await answered(t, options);
  await button(page, "Ask again").click();
  assert.equal(await question(page).inputValue(), "Twice?");
  assert.equal(await radio(page, /^Plain/).getAttribute("aria-checked"), "true");
  assert.equal(await radio(page, /^4 attempts/).getAttribute("aria-checked"), "true");
});

check("a question goes on from an answer", async (t) => {
  const { server, job, page } = await answered(t, { attempts: [GOLDEN] });
  await page.getByRole("textbox", { name: "Go on from this answer" }).fill("And its square?");
  await button(page, "Go on").click();
  await until("the question", () => server.asked("POST", "/api/jobs").length === 1);
  const sent = JSON.parse(server.asked("POST", "/api/jobs")[0].body);
  assert.equal(sent.previous, job.id);
  assert.equal(sent.question, "And its square?");
  await seeText(page, /^Before this:/);
});

check("an open Take along stays open while the answer comes, until it is closed", async (t) => {
  const server = await t.replayer();
  const job = server.add({ attempts: [GOLDEN] });
  const page = await openJob(t, server, job);
  job.step(5);
  await button(page, "Take along").click();
  const code = page.getByRole("img", { name: /^QR code: http/ });
  await code.waitFor();
  const made = await code.elementHandle();
  job.stepTo(({ part }) => part === "answer");
  await seeText(page, "Answering …");
  job.stepAll();
  await button(page, "Copy").waitFor();
  assert.ok(await made.isVisible(), "it is the same code");
  assert.equal(await button(page, "Take along").count(), 1);
  await button(page, "Close").click();
  await code.waitFor({ state: "detached" });
  const state = page.locator(".job-state");
  assert.ok(await state.evaluate((line) => line === document.activeElement), "the focus");
  await button(page, "Take along").click();
  await code.waitFor();
});

check("an answer that was cut off says so and offers more", async (t) => {
  const attempts = [
    { ...GOLDEN, answer: GOLDEN.answer.slice(0, 200), value: null, finish: "budget" },
  ];
  const server = await t.replayer();
  const job = server.add({ attempts, ask: { budget_tokens: 1000 } });
  job.step(job.steps.length - 1);
  job.end("done", { finish: "budget" });
  const page = await openJob(t, server, job);
  await seeText(page, "Ready, but cut off");
  await button(page, "Ask again with twice the limit").click();
  await until(
    "it to be asked or typed",
    async () =>
      server.asked("POST", "/api/jobs").length === 1 || (await question(page).count()) === 1,
  );
});

check("a kiosk offers nothing that would stay on it or cover it", async (t) => {
  const server = await t.replayer();
  const job = server.add({ attempts: [attempt("4")] });
  job.stepAll();
  const page = await t.open(server, { path: `/?kiosk=3#job/${job.id}` });
  await button(page, "Copy").first().waitFor();
  assert.equal(await button(page, "Print").count(), 0);
  await page.getByRole("link", { name: "Your questions" }).click();
  await button(page, "Delete all").waitFor();
  assert.equal(await page.getByRole("button", { name: /^Save/ }).count(), 0);
});

check("formulas are MathML alone for readers that need that, also the next time", async (t) => {
  const { page } = await answered(t, { attempts: [GOLDEN] });
  const drawn = page.locator(".katex-html");
  const setting = button(page, "Formulas for screen readers");
  await drawn.first().waitFor({ state: "attached" });
  await setting.click();
  await until("no drawn formula", async () => (await drawn.count()) === 0);
  assert.ok((await page.locator("math").count()) > 0);
  await page.reload();
  await page.locator("math").filter({ visible: true }).first().waitFor();
  assert.equal(await drawn.count(), 0);
  assert.equal(await setting.getAttribute("aria-pressed"), "true");
  await setting.click();
  await drawn.first().waitFor({ state: "attached" });
});

await run();
