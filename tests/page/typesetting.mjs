// The recorded answers on the page: each is complete, typeset without a fault, and shows no TeX
// outside code; while it streams, a finished block is never touched and a formula typeset once.

import assert from "node:assert/strict";
import { BlockSplitter } from "../../page/src/text/blocks.ts";
import { scanMath } from "../../page/src/text/math.ts";
import { watchBlocks, watched } from "./block-watch.mjs";
import { until } from "./browser.mjs";
import { check, run, trials } from "./harness.mjs";
import { heldText, jobPart, openJob, seeText, thinkingLine, visibleProse } from "./parts.mjs";
import { answers } from "./recording.mjs";

const ANSWERS = answers();
const isAnswer = ({ part }) => part === "answer";
const answerPart = (page) => page.getByRole("region", { name: "Answer", exact: true });
const TEX_COMMAND = /\\[a-zA-Z]+|\\[()[\]]|\$\$/;
/** Answers that are streamed piece by piece; each takes seconds. */
const STREAMED = trials(
  ANSWERS.filter(({ name }) => /functional|prices|steps in|fence within|相遇/.test(name)),
  ANSWERS,
);

/** Shows a job on a page that shows another one. */
async function show(page, server, options) {
  const job = server.add(options);
  await page.evaluate((id) => (location.hash = `#job/${id}`), job.id);
  await until("a reader", () => job.readers === 1);
  return job;
}

/** Opens a page that has loaded mathematics already. */
async function warm(t, settings = {}) {
  const server = await t.replayer();
  const job = server.add({ attempts: [{ answer: "Ready: $1$.", value: "1" }] });
  job.stepAll();
  const page = await openJob(t, server, job, settings);
  await answerPart(page).locator(".katex").waitFor();
  return { server, page };
}

check(
  `${ANSWERS.length} answers are whole, without TeX outside code and without a faulty formula`,
  async (t) => {
    const { server, page } = await warm(t);
    const faults = [];
    for (const one of ANSWERS) {
      const { name, question, mode, formulas, code, value } = one;
      const job = await show(page, server, { attempts: [one], question, mode });
      job.step(Math.floor(job.steps.length / 2));
      job.stepAll();
      await seeText(page, "Ready");
      const part = answerPart(page);
      await until(
        "all formulas",
        async () => (await part.locator(".katex").count()) >= formulas,
        2_000,
      ).catch(() => {});
      const found = await part.locator(".katex").count();
      if (found !== formulas) faults.push(`${name}: ${found} formulas, not ${formulas}`);
      const faulty = await part.locator(".faulty, .katex-error").allTextContents();
      if (faulty.length > 0) faults.push(`${name}: faulty: ${faulty.join(" | ")}`);
      const fences = await part.locator("pre").count();
      if (fences !== code) faults.push(`${name}: ${fences} blocks of code, not ${code}`);
      const tex = TEX_COMMAND.exec(await visibleProse(part));
      if (tex) faults.push(`${name}: TeX is shown: ${tex[0]}`);
      const raw = await visibleProse(part).then((text) => /\*\*|^#{1,6} |^\|.*\|$/m.exec(text));
      if (raw) faults.push(`${name}: Markdown is shown: ${raw[0]}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) faults.push(`${name}: the page is ${wide} px too wide`);
      if (value && !["hint", "review", "proof", "code"].includes(mode)) {
        const top = jobPart(page).locator("p", { hasText: "Answer:" }).first();
        const isTypeset = await top
          .locator(".katex, .formula")
          .first()
          .waitFor()
          .then(
            () => true,
            () => false,
          );
        if (!isTypeset) faults.push(`${name}: the value is not on top`);
      }
      const held = await heldText(page);
      if (held.answer !== one.answer.trim()) faults.push(`${name}: another text is held`);
    }
    assert.deepEqual(faults, []);
  },
  { limitMs: 300_000 },
);

check(
  "thinkings of all answers show no TeX where they are typeset",
  async (t) => {
    const { server, page } = await warm(t, { viewport: { width: 1024, height: 4_000 } });
    const faults = [];
    for (const one of ANSWERS.filter((_, at) => at % trials(6, 1) === 0)) {
      const job = await show(page, server, { attempts: [one], question: one.question });
      job.stepAll();
      await seeText(page, "Ready");
      await thinkingLine(page).click();
      const part = page.getByRole("region", { name: "Its thinking" });
      await page.waitForTimeout(300);
      const tex = TEX_COMMAND.exec(await visibleProse(part));
      if (tex) faults.push(`${one.name}: TeX is shown: ${tex[0]}`);
      const faulty = await part.locator(".faulty, .katex-error").allTextContents();
      if (faulty.length > 0) faults.push(`${one.name}: faulty: ${faulty.join(" | ")}`);
    }
    assert.deepEqual(faults, []);
  },
  { limitMs: 180_000 },
);

/** Returns the formulas that are whole in the open block of a text so far, or in a whole text. */
function wholeFormulas(text, splitter, isComplete) {
  const blocks = splitter.advance(text, isComplete);
  if (!isComplete) blocks.splice(0, Infinity, { start: splitter.openStart, end: text.length });
  return blocks
    .filter(({ isFence }) => !isFence)
    .flatMap(({ start, end }) => scanMath(text.slice(start, end), !isComplete))
    .filter(({ isClosed }) => isClosed)
    .map(({ source, isDisplay }) => `${source} ${isDisplay}`);
}

check("wherever a text is cut, what is a formula so far is one in the end", async () => {
  const faults = [];
  for (const { name, answer } of ANSWERS) {
    const inTheEnd = new Set(wholeFormulas(answer, new BlockSplitter(), true));
    const splitter = new BlockSplitter();
    for (let length = 1; length <= answer.length; length++) {
      for (const one of wholeFormulas(answer.slice(0, length), splitter, false)) {
        if (!inTheEnd.has(one)) faults.push(`${name}: at ${length}: ${one}`);
      }
    }
  }
  assert.deepEqual(faults, []);
});

check(
  "while they stream, blocks that are finished stay untouched and formulas are typeset once",
  async (t) => {
    const { server, page } = await warm(t);
    const faults = [];
    for (const one of STREAMED) {
      const job = await show(page, server, {
        attempts: [{ ...one, thinking: "" }],
        mode: one.mode,
      });
      await watchBlocks(page);
      job.play(150);
      await until("the end", () => job.isOver, 60_000);
      await seeText(page, "Ready");
      await page.waitForTimeout(150);
      const { touched, typeset, red } = await watched(page);
      if (touched.length > 0) faults.push(`${one.name}: touched: ${touched.join(" | ")}`);
      if (typeset !== one.formulas)
        faults.push(`${one.name}: typeset ${typeset}, has ${one.formulas}`);
      if (red > 0) faults.push(`${one.name}: ${red} faulty while it streamed`);
      const shown = await answerPart(page).innerHTML();
      await page.evaluate(() => (location.hash = ""));
      await page.evaluate((id) => (location.hash = `#job/${id}`), job.id);
      await seeText(page, "Ready");
      await until(
        "the same",
        async () => (await answerPart(page).innerHTML()) === shown,
        3_000,
      ).catch(() => faults.push(`${one.name}: streamed it looks otherwise than at once`));
    }
    assert.deepEqual(faults, []);
  },
  { limitMs: 600_000 },
);

check("an open formula waits as plain text, and a faulty one shows its source", async (t) => {
  const { server, page } = await warm(t);
  const open = "We know $x^2 = \\frac{1}{4}";
  const text = `${open}$ and $\\frac{1}{$ is broken, but $y$ is not.`;
  const job = await show(page, server, { attempts: [{ answer: text, value: null }] });
  const part = answerPart(page);
  while (!job.text(0, "answer").includes("\\frac")) job.step(1);
  const soFar = job.text(0, "answer");
  assert.ok(open.startsWith(soFar), "the formula is open");
  await part.getByText("x^2 = \\frac").waitFor();
  assert.equal(await part.locator(".katex").count(), 0);
  job.stepAll();
  await seeText(page, "Ready");
  assert.ok((await part.textContent()).includes("\\frac{1}{"));
  assert.equal(await part.locator(".katex").count(), 2);
});

check(
  "wide formulas, tables and code scroll in themselves and can be reached by the keyboard",
  async (t) => {
    const { server, page } = await warm(t, { viewport: { width: 390, height: 844 } });
    const row = (cell) => `|${` ${cell} |`.repeat(12)}`;
    const table = [row("long heading"), row("---"), row("$x^2 + y^2$")].join("\n");
    const named = (name) => ANSWERS.find((answer) => answer.name === name).answer;
    for (const answer of [
      named("layout: a wide formula"),
      named("code: a binary search in C++"),
      table,
    ]) {
      const job = await show(page, server, { attempts: [{ answer, value: null }] });
      job.stepAll();
      await seeText(page, "Ready");
      await page.waitForTimeout(300);
      const what = answer.slice(0, 40);
      assert.equal(
        await page.evaluate(() => document.documentElement.scrollWidth > innerWidth),
        false,
        what,
      );
      const scrolling = await answerPart(page).evaluate((element) => {
        const all = [...element.querySelectorAll("*")].filter(
          (one) =>
            one.scrollWidth > one.clientWidth + 1
            && ["auto", "scroll"].includes(getComputedStyle(one).overflowX),
        );
        return all.map((one) => one.tabIndex);
      });
      assert.ok(scrolling.length > 0, `${what} scrolls somewhere`);
      assert.ok(
        scrolling.every((tabIndex) => tabIndex === 0),
        `${what}: the keyboard reaches it`,
      );
    }
  },
);

await run();
