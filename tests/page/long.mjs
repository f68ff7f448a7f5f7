// The longest job that is expected: 20,000 tokens of thinking, 2,000 of an answer with 60 formulas.
// What it costs the page, which runs on the processor that also computes the answer.

import assert from "node:assert/strict";
import { watchBlocks, watched } from "./block-watch.mjs";
import { until } from "./browser.mjs";
import { check, run } from "./harness.mjs";
import { FORMULAS, longJob } from "./long-job.mjs";
import { heldText, openJob, seeText } from "./parts.mjs";

const NODES_MAX = 6_000;
const SHIFT_MAX = 0.02;
const SLOWER = 4;
const COSTLIEST_TIMES_MAX = 3;
const MESSAGES_MAX = 12;
const THINKING_PER_SECOND = 4_000;
const ANSWER_PER_SECOND = 500;
const isAnswer = ({ part }) => part === "answer";

/** Runs in the page before its script: notes shifts of the layout and long tasks. */
function measure() {
  globalThis.measured = { shift: 0, shifts: [], task: 0 };
  new PerformanceObserver((list) => {
    for (const { value, sources } of list.getEntries()) {
      globalThis.measured.shift += value;
      const of = sources.map(({ node }) => node?.outerHTML?.slice(0, 120) ?? node?.nodeName);
      globalThis.measured.shifts.push({ value, of });
    }
  }).observe({ type: "layout-shift", buffered: true });
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      globalThis.measured.task = Math.max(globalThis.measured.task, duration);
    }
  }).observe({ type: "longtask", buffered: true });
}

const measured = (page) => page.evaluate(() => globalThis.measured);

/** Opens the page of a job that has not begun; mathematics is loaded already. */
async function opened(t, attempts, { slower = 1 } = {}) {
  const server = await t.replayer();
  const context = await t.context();
  await context.addInitScript(measure);
  const ready = server.add({ attempts: [{ answer: "Ready: $1$ and `x`.", value: "1" }] });
  ready.stepAll();
  const page = await t.openIn(context, server, `/#job/${ready.id}`);
  await page.getByRole("region", { name: "Answer", exact: true }).locator(".katex").waitFor();
  const job = server.add({ attempts });
  await page.evaluate((id) => (location.hash = `#job/${id}`), job.id);
  await until("a reader", () => job.readers === 1);
  await page.waitForTimeout(300);
  await page.evaluate(() => Object.assign(globalThis.measured, { shift: 0, shifts: [], task: 0 }));
  if (slower > 1) {
    const session = await context.newCDPSession(page);
    await session.send("Emulation.setCPUThrottlingRate", { rate: slower });
  }
  return { server, page, job };
}

async function play(job, page) {
  job.play(THINKING_PER_SECOND);
  await until(
    "the thinking to end",
    () => !job.steps.some(({ part }) => part === "thinking"),
    60_000,
  );
  job.play(ANSWER_PER_SECOND);
  await until("the job to end", () => job.isOver, 60_000);
  await seeText(page, "Ready");
  await page.waitForTimeout(500);
}

check(
  "a long answer keeps its blocks, its layout and its number of nodes",
  async (t) => {
    const { page, job } = await opened(t, [longJob()]);
    await watchBlocks(page);
    await play(job, page);
    const answer = page.getByRole("region", { name: "Answer", exact: true });
    assert.equal(await answer.locator(".katex").count(), FORMULAS);
    const { touched, typeset, red } = await watched(page);
    assert.deepEqual(touched, [], "finished blocks stay as they are");
    assert.equal(typeset, FORMULAS, "each is typeset once");
    assert.equal(red, 0);
    const nodes = await page.evaluate(() => {
      const walker = document.createTreeWalker(document);
      let count = 0;
      while (walker.nextNode()) count += 1;
      return count;
    });
    const { shift, shifts } = await measured(page);
    const worst = shifts.sort((a, b) => b.value - a.value).slice(0, 5);
    console.log(`    ${nodes} nodes, layout shift ${shift.toFixed(4)}`);
    assert.ok(nodes <= NODES_MAX, `${nodes} nodes`);
    assert.ok(shift <= SHIFT_MAX, `layout shift ${shift}: ${JSON.stringify(worst)}`);
    const held = await heldText(page);
    assert.equal(held.answer, job.text(0, "answer").trim());
    assert.equal(held.thinking, job.text(0, "thinking").trim());
  },
  { limitMs: 120_000 },
);

check(
  "no task takes longer than three times the costliest block alone, on a slow processor",
  async (t) => {
    const long = longJob();
    let alone = 0;
    for (const block of long.blocks) {
      const one = { answer: `${block}\n`, value: null };
      const { page, job } = await opened(t, [one], { slower: SLOWER });
      job.stepAll();
      await seeText(page, "Ready");
      await page.waitForTimeout(300);
      alone = Math.max(alone, (await measured(page)).task);
      await page.context().close();
    }
    const { page, job } = await opened(t, [long], { slower: SLOWER });
    await play(job, page);
    const { task } = await measured(page);
    console.log(
      `    longest task ${task.toFixed(0)} ms, costliest block alone ${alone.toFixed(0)} ms`,
    );
    assert.ok(task <= COSTLIEST_TIMES_MAX * alone, `${task} ms, and ${alone} ms alone`);
  },
  { limitMs: 180_000 },
);

check(
  "the live region has few messages over a job of half an hour",
  async (t) => {
    const server = await t.replayer();
    const eta = { seconds: 1_500, low: 900, high: 2_400 };
    const job = server.add({ attempts: [longJob()], place: 2, eta });
    const page = await openJob(t, server, job, { ownClock: true });
    await until("a reader", () => job.readers === 1);
    await page.evaluate(() => {
      globalThis.messages = [];
      const region = document.querySelector("[aria-live=polite]");
      new MutationObserver(() => {
        if (region.textContent)
          globalThis.messages.push({ at: Date.now(), text: region.textContent });
      }).observe(region, { childList: true, characterData: true, subtree: true });
    });
    const minutes = 30;
    const each = Math.ceil(job.steps.length / minutes);
    for (let minute = 0; minute < minutes; minute++) {
      if (minute > 0) job.step(each);
      for (let half = 0; half < 2; half++) {
        await page.clock.runFor(30_000);
        job.beat();
        await page.waitForTimeout(20);
      }
      job.tell({
        eta: { ...eta, seconds: eta.seconds - 60 * minute, high: eta.high - 60 * minute },
      });
    }
    job.stepAll();
    await seeText(page, "Ready");
    await page.clock.runFor(5_000);
    const messages = await page.evaluate(() => globalThis.messages);
    const texts = messages.map(({ text }) => text);
    console.log(`    ${texts.length} messages: ${[...new Set(texts)].slice(0, 6).join(" | ")}`);
    const regular = messages.filter(({ text }) => /^(Ready in about|Now place)/.test(text));
    const single = texts.length - regular.length;
    assert.ok(single <= MESSAGES_MAX, texts.join(" | "));
    for (const [at, { at: when }] of regular.entries()) {
      if (at > 0) assert.ok(when - regular[at - 1].at >= 59_000, "one a minute");
    }
    assert.ok(
      texts.some((text) => /Ready.*answer is/.test(text)),
      texts.join(" | "),
    );
    const live = await page.locator("[aria-live], [role=status], [role=log], [role=alert]").count();
    assert.equal(live, 1, "one live region");
    assert.ok(
      texts.every((text) => text.length < 200),
      "no streamed text",
    );
  },
  { limitMs: 180_000 },
);

await run();
