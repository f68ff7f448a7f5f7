// Waiting: place and estimate, the thinking, Stop and Answer now, a page that never scrolls by
// itself, and a box or a network that goes away and comes back.

import assert from "node:assert/strict";
import { setHidden, until } from "./browser.mjs";
import { check, run } from "./harness.mjs";
import {
  ask,
  button,
  heldText,
  isOnScreen,
  jobPart,
  lexerLoaded,
  openJob,
  seeText,
  thinkingLine,
} from "./parts.mjs";
import { answers } from "./recording.mjs";
import { error } from "./replayer.mjs";

const ANSWERS = answers();
const LONG = ANSWERS.find(({ name }) => name.startsWith("long: an AIME"));
const NETWORK = /console: Failed to load resource/;
const isAnswer = ({ part }) => part === "answer";

/** Starts a replayer with one job, and opens its page. */
async function waiting(t, options = {}, settings = {}) {
  const server = await t.replayer();
  const job = server.add({ attempts: [LONG], question: LONG.question, ...options });
  const page = await openJob(t, server, job, settings);
  await jobPart(page).waitFor();
  await until("the job to be followed", () => job.readers === 1);
  return { server, job, page };
}

/** Waits until the page has all that has been played. */
async function caughtUp(page, job, attempt = 0) {
  await until("the page to have the text", async () => {
    const held = await heldText(page, attempt);
    return (
      held.thinking.trim() === job.text(attempt, "thinking").trim()
      && held.answer.trim() === job.text(attempt, "answer").trim()
    );
  });
}

/** Makes time pass on a page with a clock of its own, while it gets the box's heartbeats. */
async function pass(page, job, seconds) {
  const reads = () => page.evaluate(() => globalThis.readsDone);
  for (let left = seconds; left > 0; left -= 30) {
    await page.clock.runFor(Math.min(left, 30) * 1_000);
    const before = await reads();
    job.beat();
    await until("the heartbeat to arrive", async () => (await reads()) > before);
  }
}

check("place in line and minutes left are shown and counted down", async (t) => {
  const eta = { seconds: 600, low: 300, high: 1200 };
  const { job, page } = await waiting(t, { place: 3, eta }, { ownClock: true });
  await seeText(page, /^In line: 2 .*before yours …/);
  await seeText(page, /ready in about 10 minutes \(5 to 20\)/);
  // What the check itself takes passes too.
  await pass(page, job, 240);
  await seeText(page, /ready in about [56] minutes/);
  job.tell({ place: 1 });
  await seeText(page, "In line: yours is next …");
});

check("an estimate that has passed says: longer than expected", async (t) => {
  const eta = { seconds: 60, low: 30, high: 150 };
  const { job, page } = await waiting(t, { eta }, { ownClock: true });
  job.step(10);
  await seeText(page, "Thinking …");
  await pass(page, job, 200);
  await seeText(page, "longer than expected");
});

check(
  "the state goes from reading to thinking to answering to ready, in the title too",
  async (t) => {
    const { job, page } = await waiting(t);
    job.step(0);
    await seeText(page, "Reading your question …");
    job.step(20);
    await seeText(page, "Thinking …");
    assert.match(await page.title(), /Thinking/);
    job.stepTo(isAnswer);
    await seeText(page, "Answering …");
    job.stepAll();
    await seeText(page, "Ready");
    await until("the title", async () => /✓ Ready/.test(await page.title()));
  },
);

check("the thinking is one line; opened it stays open until it is folded", async (t) => {
  const { job, page } = await waiting(t);
  job.step(60);
  const line = thinkingLine(page);
  await line.waitFor();
  const { height } = await line.boundingBox();
  assert.ok(height <= 60, `the folded thinking is ${height} px high`);
  await line.click();
  const thoughts = page.getByRole("region", { name: "Its thinking" });
  await thoughts.waitFor();
  job.stepTo(isAnswer);
  job.stepAll();
  await seeText(page, "Ready");
  assert.ok(await thoughts.isVisible(), "it is still open");
  await button(page, "Hide the thinking").click();
  await thoughts.waitFor({ state: "hidden" });
});

check("formulas of an opened thinking are typeset where they are on the screen", async (t) => {
  const thinking = Array.from({ length: 6 }, () => LONG.thinking).join("\n\n");
  const { job, page } = await waiting(t, { attempts: [{ ...LONG, thinking }] });
  job.stepTo(isAnswer);
  await thinkingLine(page).click();
  const thoughts = page.getByRole("region", { name: "Its thinking" });
  const count = () => thoughts.locator(".katex").count();
  await until("the first formulas", async () => (await count()) > 0);
  await page.waitForTimeout(500);
  const early = await count();
  await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
  await until("more formulas", async () => (await count()) > early);
  assert.ok((await count()) < 0.9 * thinking.match(/\$[^$]+\$/g).length, "those between are not");
});

check("Stop stops, and what was written is kept", async (t) => {
  const { job, page } = await waiting(t);
  job.step(100);
  await seeText(page, "Thinking …");
  await button(page, "Stop").click();
  await seeText(page, "Stopped");
  assert.equal(job.state, "stopped");
  await caughtUp(page, job);
  await seeText(page, /What was written so far is kept/);
  assert.equal(await button(page, "Stop").count(), 0);
});

check("Answer now is offered after 30 seconds and ends the thinking", async (t) => {
  const { server, job, page } = await waiting(t, {}, { ownClock: true });
  job.step(50);
  await seeText(page, "Thinking …");
  await page.clock.runFor(20_000);
  assert.equal(await button(page, "Answer now").count(), 0);
  await page.clock.runFor(15_000);
  await button(page, "Answer now").click();
  await until("it to be sent", () => server.asked("POST", /\/finish$/).length === 1);
  job.step(5);
  await seeText(page, "Answering …");
  const state = page.locator(".job-state");
  await until("the focus", () => state.evaluate((line) => line === document.activeElement));
});

check("a button that the box refuses says so next to it, on the screen", async (t) => {
  t.allow(NETWORK);
  const { server, job, page } = await waiting(t);
  job.step(30);
  const headers = { "Retry-After": "3" };
  server.refuse("POST", /\/stop$/, { status: 429, body: error("too_many"), headers });
  await button(page, "Stop").click();
  const told = page.getByText(/Try again in [1-3] s\./);
  await told.waitFor();
  assert.ok(await isOnScreen(told));
  await seeText(page, "You can try again now.");
  await button(page, "Stop").click();
  await seeText(page, "Stopped");
});

check("the page never scrolls by itself, and ↓ new goes to the end", async (t) => {
  const { job, page } = await waiting(t);
  job.step(300);
  await thinkingLine(page).click();
  const where = () => page.evaluate(() => scrollY);
  await page.evaluate(() => {
    globalThis.scrolls = [];
    addEventListener("scroll", () => globalThis.scrolls.push(scrollY));
  });
  job.step(300);
  await caughtUp(page, job);
  assert.equal(await where(), 0);
  await page.evaluate(() => scrollTo(0, 150));
  const before = await where();
  const seen = await page.evaluateHandle(() => document.elementFromPoint(innerWidth / 2, 200));
  const place = () => seen.evaluate((element) => element.getBoundingClientRect().top);
  const placeBefore = await place();
  job.stepTo(isAnswer);
  for (let part = 0; part < 10; part++) {
    job.step(30);
    await page.waitForTimeout(60);
  }
  await caughtUp(page, job);
  // The browser itself keeps in its place what is read, should something above change its height.
  const moved = (await place()) - placeBefore;
  assert.ok(Math.abs(moved) < 3, `what is read moved by ${moved} px`);
  const down = page.getByRole("button", { name: /go to (its end|the newest text)$/i });
  await down.click();
  await until("the end", async () => (await where()) > before);
  const atEnd = await where();
  job.stepAll();
  await caughtUp(page, job);
  await seeText(page, "Ready");
  await page.waitForTimeout(300);
  assert.equal(await where(), atEnd);
});

check("a box that was killed is said to be gone, and goes on when it is back", async (t) => {
  t.allow(NETWORK);
  const { server, job, page } = await waiting(t);
  job.step(200);
  await caughtUp(page, job);
  await lexerLoaded(page);
  await server.die();
  await seeText(page, "The box does not answer. Trying again …");
  job.restart(job.bytes);
  await server.listen();
  await seeText(page, "The box is back. Going on …");
  job.stepAll();
  await caughtUp(page, job);
  await seeText(page, "Ready");
});

check("text that a power cut took is taken back and written anew", async (t) => {
  t.allow(NETWORK);
  const { server, job, page } = await waiting(t);
  job.stepTo(isAnswer);
  job.step(120);
  await caughtUp(page, job);
  await lexerLoaded(page);
  const lost = job.text(0, "answer").slice(-200);
  await server.die();
  const other = [{ kind: "text", attempt: 0, part: "answer", text: " Another way: $7 \\mid 0$. " }];
  job.restart(job.bytes - 200, other);
  await server.listen();
  job.step(1);
  await caughtUp(page, job);
  assert.ok(!(await heldText(page)).answer.includes(lost));
  job.stepAll();
  await caughtUp(page, job);
});

check(
  "cuts at any moment lose and double nothing, with eight attempts",
  async (t) => {
    t.allow(NETWORK);
    const attempts = ANSWERS.filter(({ name }) => /^(chinese|algebra)/.test(name)).slice(0, 8);
    const server = await t.replayer();
    server.retryMs = 30;
    const job = server.add({ attempts, ask: { attempts: 8 }, perSecond: 2_000 });
    const page = await openJob(t, server, job);
    await lexerLoaded(page);
    for (let cut = 0; !job.isOver; cut++) {
      await page.waitForTimeout(100 + (cut % 5) * 60);
      server.cut();
      if (cut % 3 === 2) job.restart(Math.max(0, job.bytes - 77 * cut));
    }
    for (const attempt of attempts.keys()) {
      if (attempt === 0) await seeText(page, /agree|no two/);
      const shown = (await heldText(page)).holds;
      assert.ok(shown, "the shown attempt is whole");
    }
    await caughtUp(page, job, job.best);
  },
  { limitMs: 60_000 },
);

check("a network that is off and on is survived", async (t) => {
  t.allow(NETWORK);
  const { server, job, page } = await waiting(t);
  job.step(100);
  await caughtUp(page, job);
  await lexerLoaded(page);
  await page.context().setOffline(true);
  server.cut();
  await seeText(page, "The box does not answer. Trying again …");
  job.step(100);
  await page.context().setOffline(false);
  await seeText(page, "The box is back. Going on …");
  await caughtUp(page, job);
});

check("a stream that is refused is replaced by looking again and again", async (t) => {
  t.allow(NETWORK);
  const server = await t.replayer();
  server.refuse("GET", /\/events$/, { status: 503, body: error("busy"), times: 1_000 });
  const job = server.add({ attempts: [LONG] });
  job.step(50);
  const page = await openJob(t, server, job);
  await caughtUp(page, job);
  job.step(50);
  await caughtUp(page, job);
  job.stepAll();
  await seeText(page, "Ready");
});

check("a hidden tab closes its stream within 10 seconds and has the rest when shown", async (t) => {
  const { server, job, page } = await waiting(t);
  job.step(50);
  await setHidden(page, true);
  await until("the stream to be closed", () => job.readers === 0, 10_000);
  job.step(200);
  await setHidden(page, false);
  await caughtUp(page, job);
  await until("a stream", () => job.readers === 1);
  const froms = server.asked("GET", /\/events$/).map(({ query }) => query.get("from"));
  assert.ok(Number(froms.pop()) > 0, "it goes on from the last id");
});

check("a job that is not there is said so, with a way out", async (t) => {
  t.allow(NETWORK);
  const server = await t.replayer();
  const page = await t.open(server, { path: `/#job/${"0".repeat(32)}` });
  await page
    .getByRole("button", { name: /new question|Your questions/i })
    .first()
    .waitFor();
});

check("a job that fails says so in a sentence, with a way out", async (t) => {
  const { job, page } = await waiting(t);
  job.step(80);
  job.end("failed", { error: error("no_memory").error });
  await seeText(page, "Not answered");
  await page.getByRole("button", { name: /again/i }).first().waitFor();
});

check("while the model loads, the page says how far it is and takes questions", async (t) => {
  t.allow(NETWORK);
  const server = await t.replayer();
  server.health = {
    status: 503,
    state: "loading",
    bytes_loaded: 25,
    bytes_total: 100,
    demo: false,
  };
  const page = await t.open(server);
  await seeText(page, /The model is loading, 25 %/);
  server.onAsk = () => ({ attempts: [LONG] });
  const job = await ask(page, "Early?");
  await seeText(page, "In line until the model is loaded …");
  server.health = { status: 200, state: "ready", bytes_loaded: 100, bytes_total: 100, demo: false };
  job.step(10);
  await seeText(page, "Thinking …");
});

check(
  "a page whose parts an update replaced loads itself again, once, and keeps what was typed",
  async (t) => {
    t.allow(NETWORK, /exception: .*(module|load)/, /Refused to (apply style|execute)/);
    const server = await t.replayer();
    const page = await t.open(server);
    const field = page.getByRole("textbox", { name: "Your question" });
    await field.fill("Not lost");
    server.refuse("GET", /^\/assets\/.*\.js$/, { status: 404, body: error("not_found"), times: 2 });
    await field.fill("Not lost, not even $x^2$");
    await until("it to load again", () => server.asked("GET", "/").length === 2);
    await page.locator(".katex").filter({ visible: true }).first().waitFor();
    assert.equal(await field.inputValue(), "Not lost, not even $x^2$");
    assert.equal(server.asked("GET", "/").length, 2);
  },
);

check("a part that is first needed while the box is away comes when it is back", async (t) => {
  t.allow(NETWORK, /exception: .*(module|load)/, /Refused to (apply style|execute)/);
  const server = await t.replayer();
  const page = await t.open(server);
  const field = page.getByRole("textbox", { name: "Your question" });
  await field.waitFor();
  await page.waitForTimeout(300);
  await server.die();
  await field.fill("What is $x^2$?");
  await page.waitForTimeout(2_000);
  assert.equal(await field.inputValue(), "What is $x^2$?", "the page is still there");
  await server.listen();
  await until("the preview", async () => {
    await field.fill(`What is $x^2$? ${"!".repeat(Math.floor(Math.random() * 5))}`);
    const formula = page.locator(".katex").filter({ visible: true }).first();
    return formula.waitFor({ timeout: 2_000 }).then(() => true, () => false);
  });
});

check(
  "answering at 1024×600, the state and 8 lines are on the screen without scrolling",
  async (t) => {
    const { job, page } = await waiting(t);
    job.stepTo(isAnswer);
    job.step(250);
    await caughtUp(page, job);
    assert.ok(await isOnScreen(page.getByText("Answering …")));
    const answer = page.getByRole("region", { name: "Answer", exact: true });
    const lines = await answer.evaluate((element) => {
      const { top } = element.getBoundingClientRect();
      return (innerHeight - top) / Number.parseFloat(getComputedStyle(element).lineHeight);
    });
    assert.ok(lines >= 8, `there is room for ${lines.toFixed(1)} lines`);
  },
);

await run();
