// A real box: answers that outlast reloads, kill -9, many tabs. The texts of the page must be those
// of the journal, byte for byte.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { setHidden, until } from "./browser.mjs";
import { check, run, trials } from "./harness.mjs";
import { askLong, button, heldText, jobPart, lexerLoaded, question, seeText } from "./parts.mjs";
import { randomOf } from "./recording.mjs";

const RELOADS = trials(5, 20);
const KILLS = trials(2, 10);
const NETWORK = /console: Failed to load resource/;
const SLOW = ["--context-tokens", "16384", "--sync-seconds", "1"];

const readJob = (page, id) =>
  page.evaluate(async (id) => (await fetch(`/api/jobs/${id}`)).json(), id);

/** Returns the texts of all attempts as the journal has them, by the job's events. */
function journal(page, id) {
  return page.evaluate(async (id) => {
    const stream = await (await fetch(`/api/jobs/${id}/events?from=0`)).text();
    const texts = {};
    for (const event of stream.split("\n\n")) {
      const kind = /^event: (\w+)$/m.exec(event)?.[1];
      if (kind !== "thinking" && kind !== "answer") continue;
      const { attempt, text } = JSON.parse(/^data: (.*)$/m.exec(event)[1]);
      texts[attempt] ??= { thinking: "", answer: "" };
      texts[attempt][kind] += text;
    }
    return texts;
  }, id);
}

const open = (page, id) => page.evaluate((id) => (location.hash = `#job/${id}`), id);

/** Waits for the end and compares the page with the journal. */
async function isWhole(page, id) {
  await until("the job to end", async () => (await readJob(page, id)).state === "done", 90_000);
  await seeText(page, /^Ready/);
  const job = await readJob(page, id);
  const held = await until("the page to have the end", async () => {
    const found = await heldText(page);
    return found.state === "done" && found;
  });
  assert.equal(held.thinking, job.thinking);
  assert.equal(held.answer, job.answer);
  const all = await journal(page, id);
  const best = all[job.best_attempt ?? 0];
  assert.equal(held.thinking, best.thinking.trim());
  assert.equal(held.answer, best.answer.trim());
}

/** Waits until the page shows text of a job that runs. */
async function hasBegun(page) {
  await until(
    "text",
    async () => {
      const held = await heldText(page).catch(() => null);
      return held && held.thinking.length + held.answer.length > 20;
    },
    30_000,
  );
}

check("a question is asked on the page and answered with its value on top", async (t) => {
  const box = await t.box();
  const page = await t.open(box);
  await question(page).fill("What is 348 + 577?");
  await button(page, "Ask").click();
  await page.waitForURL(/#job\//);
  await seeText(page, /^Ready/);
  const value = jobPart(page).locator("p", { hasText: "Answer:" }).first();
  await value.locator(".katex", { hasText: "925" }).waitFor();
  await page.reload();
  await value.locator(".katex", { hasText: "925" }).waitFor();
});

check(
  `reloaded at ${RELOADS} random moments, the page has the journal's text`,
  async (t) => {
    t.allow(NETWORK);
    const random = randomOf(20);
    const box = await t.box(SLOW);
    const page = await t.open(box);
    let [reloads, jobs] = [0, 0];
    while (reloads < RELOADS) {
      const id = await askLong(page, { seed: jobs, attempts: jobs % 2 === 0 ? 1 : 4 });
      jobs += 1;
      await open(page, id);
      for (let more = 0; more < 5 && reloads < RELOADS; more++) {
        await page.waitForTimeout(80 + random() * 500);
        if ((await readJob(page, id)).state === "done") break;
        await page.reload();
        reloads += 1;
      }
      await isWhole(page, id);
    }
  },
  { limitMs: 300_000 },
);

check(
  `over ${KILLS} kills at random moments, the page has the journal's text`,
  async (t) => {
    t.allow(NETWORK);
    const random = randomOf(10);
    const box = await t.box(SLOW);
    const page = await t.open(box);
    let [kills, jobs] = [0, 0];
    while (kills < KILLS) {
      const id = await askLong(page, { seed: jobs, attempts: jobs % 2 === 0 ? 4 : 1 });
      jobs += 1;
      await open(page, id);
      // A job that was in the batch of two crashes fails, as it should: each gets one.
      await hasBegun(page);
      await lexerLoaded(page);
      await page.waitForTimeout(random() * 800);
      const isRunning = (await readJob(page, id)).state !== "done";
      await box.kill();
      await page.waitForTimeout(random() * 300);
      await box.begin();
      if (isRunning) kills += 1;
      await isWhole(page, id);
    }
  },
  { limitMs: 300_000 },
);

check("two tabs follow one job, and one that stops it is seen in the other", async (t) => {
  t.allow(NETWORK);
  const box = await t.box(SLOW);
  const context = await t.context();
  const one = await t.openIn(context, box);
  const two = await t.openIn(context, box);
  const id = await askLong(one, { budget_tokens: 8_000 });
  await open(one, id);
  await open(two, id);
  await hasBegun(one);
  await hasBegun(two);
  await button(two, "Stop").click();
  await seeText(one, "Stopped");
  await seeText(two, "Stopped");
  assert.deepEqual(await heldText(one), await heldText(two));
});

check(
  "ten tabs work, of which nine are hidden",
  async (t) => {
    t.allow(NETWORK);
    const box = await t.box(SLOW);
    const context = await t.context();
    const first = await t.openIn(context, box);
    const id = await askLong(first, { budget_tokens: 8_000 });
    await open(first, id);
    const tabs = [first];
    while (tabs.length < 10) {
      await setHidden(tabs[tabs.length - 1], true);
      tabs.push(await t.openIn(context, box, `/#job/${id}`));
      await jobPart(tabs[tabs.length - 1]).waitFor();
    }
    const last = tabs[tabs.length - 1];
    await hasBegun(last);
    await button(last, "Stop").click();
    await seeText(last, "Stopped");
    for (const tab of tabs) {
      await setHidden(tab, false);
      await seeText(tab, "Stopped");
      assert.deepEqual(await heldText(tab), await heldText(last));
    }
  },
  { limitMs: 120_000 },
);

/** Takes connections of the box until it refuses more; each follows a job. Returns them. */
async function takeAllConnections(box, context, id) {
  const cookies = await context.cookies();
  const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join("; ");
  const lines = [`GET /api/jobs/${id}/events HTTP/1.1`, "Host: localhost", `Cookie: ${cookie}`];
  const request = `${lines.join("\r\n")}\r\n\r\n`;
  const sockets = [];
  for (let isFull = false; !isFull && sockets.length < 200;) {
    const socket = connect(box.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write(request);
    const [head] = await once(socket, "data");
    isFull = !String(head).startsWith("HTTP/1.1 200");
    // Reads on, so that the box never waits for this reader.
    socket.resume();
    sockets.push(socket);
  }
  return sockets;
}

check(
  "where all connections of an address are taken, the page says so and goes on later",
  async (t) => {
    t.allow(NETWORK);
    const box = await t.box(SLOW);
    const page = await t.open(box);
    const id = await askLong(page, { budget_tokens: 14_000 });
    await open(page, id);
    await hasBegun(page);
    const other = await t.openIn(page.context(), box);
    await question(other).fill("Is there room?");
    const sockets = await takeAllConnections(box, page.context(), id);
    await button(other, "Ask").click();
    await other.locator(".bad").filter({ visible: true }).first().waitFor();
    assert.equal(await question(other).inputValue(), "Is there room?");
    await page.reload().catch(() => {});
    for (const socket of sockets) socket.destroy();
    await until("the page to be there again", async () => {
      await page.reload().catch(() => {});
      return button(page, "Stop")
        .waitFor({ timeout: 3_000 })
        .then(
          () => true,
          () => false,
        );
    });
    await button(page, "Stop").click();
    await seeText(page, "Stopped");
    await until("the question to be taken", async () => {
      await button(other, "Ask")
        .click({ force: true })
        .catch(() => {});
      return /#job/.test(other.url());
    });
  },
);

check("what one browser asks, another does not see", async (t) => {
  t.allow(NETWORK);
  const box = await t.box();
  const page = await t.open(box);
  await question(page).fill("What is 17 × 23?");
  await button(page, "Ask").click();
  await page.waitForURL(/#job\//);
  const address = new URL(page.url());
  const other = await t.open(box, { path: `/${address.hash}` });
  await other
    .getByRole("button", { name: /new question|Your questions/i })
    .first()
    .waitFor();
  await other.getByRole("link", { name: "Your questions" }).click();
  assert.equal(await other.getByText("What is 17 × 23?").count(), 0);
});

await run();
