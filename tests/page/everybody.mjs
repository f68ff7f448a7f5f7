// Everybody: axe in all states, light and dark, in both languages; the keyboard alone; small and
// enlarged screens; the choice of the language.

import assert from "node:assert/strict";
import { violations } from "./axe.mjs";
import { until } from "./browser.mjs";
import { check, run } from "./harness.mjs";
import { question, seeText } from "./parts.mjs";
import { answers } from "./recording.mjs";
import { error } from "./replayer.mjs";
import { PIN, ROOM_STATES } from "./room-states.mjs";
import { MORE_STATES, STATES } from "./states.mjs";

const ALL = { ...STATES, ...MORE_STATES };
const NETWORK = /console: Failed to load resource/;

/** Adds what axe finds wrong on a page, in light and dark, to `found`, and closes it. */
async function examine(page, name, found) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    for (const one of await violations(page)) {
      found.set(one, [...(found.get(one) ?? []), `${name} ${colorScheme}`]);
    }
  }
  await page.context().close();
}

function none(found) {
  const lines = [...found].map(([one, states]) => `${one} [${states.join(", ")}]`);
  assert.equal(lines.length, 0, lines.join("\n"));
}

for (const locale of ["en-GB", "zh-CN"]) {
  check(
    `axe finds nothing in any state, light and dark, in ${locale}`,
    async (t) => {
      t.allow(NETWORK);
      const found = new Map();
      for (const [name, reach] of Object.entries(ALL)) {
        const server = await t.replayer();
        const page = await t.open(server, { locale, colorScheme: "light" });
        await reach(page, server);
        await page.waitForTimeout(300);
        await examine(page, name, found);
      }
      none(found);
    },
    { limitMs: 180_000 },
  );
}

for (const locale of ["en-GB", "zh-CN"]) {
  check(
    `axe finds nothing in a kiosk, on a projector and in the owner's view, light and dark, in ${locale}`,
    async (t) => {
      t.allow(NETWORK);
      const box = await t.box([], { pin: PIN });
      const found = new Map();
      for (const [name, reach] of Object.entries(ROOM_STATES)) {
        await examine(await reach(t, box, { locale, colorScheme: "light" }), name, found);
      }
      none(found);
    },
    { limitMs: 180_000 },
  );
}

check("signs that are drawn are not read out as parts of a button's name", async (t) => {
  t.allow(NETWORK);
  for (const reach of Object.values(ALL)) {
    const server = await t.replayer();
    const page = await t.open(server);
    await reach(page, server);
    const buttons = (await page.locator("body").ariaSnapshot()).match(/- button .*/g) ?? [];
    assert.deepEqual(
      buttons.filter((line) => /[\u25a0-\u25ff\u2713\u203a]/.test(line)),
      [],
    );
    await page.context().close();
  }
}, { limitMs: 120_000 });

check(
  "nothing is wider than a screen of 320 pixels, in any state",
  async (t) => {
    t.allow(NETWORK);
    for (const [name, reach] of Object.entries(ALL)) {
      const server = await t.replayer();
      const page = await t.open(server, { viewport: { width: 320, height: 640 } });
      await reach(page, server);
      await page.waitForTimeout(100);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${name} is ${wide} px wider`);
      await page.context().close();
    }
  },
  { limitMs: 120_000 },
);

check(
  "targets are at least 44 pixels high or stand in a line of text",
  async (t) => {
    t.allow(NETWORK);
    const small = new Set();
    for (const [name, reach] of Object.entries(ALL)) {
      const server = await t.replayer();
      const page = await t.open(server, { viewport: { width: 390, height: 844 } });
      await reach(page, server);
      const found = await page.evaluate(() => {
        const all = [
          ...document.querySelectorAll("button, input, textarea, select, summary, [role=radio]"),
        ];
        return all
          .filter((one) => one.checkVisibility({ visibilityProperty: true }))
          .map((one) => [one.textContent.slice(0, 40), one.getBoundingClientRect()])
          .filter(([, { height }]) => height > 0 && height < 43.5)
          .map(([text, { height }]) => `${text}: ${height} px`);
      });
      for (const one of found) small.add(`${name}: ${one}`);
      await page.context().close();
    }
    assert.equal(small.size, 0, [...small].join("\n"));
  },
  { limitMs: 120_000 },
);

check("the keyboard alone asks, opens the thinking, stops, and comes back", async (t) => {
  const server = await t.replayer();
  server.onAsk = () => ({
    attempts: [{ thinking: "Hm. ".repeat(400), answer: "$\\boxed{4}$", value: "4" }],
  });
  const page = await t.open(server);
  const focus = () =>
    page.evaluate(() => {
      const one = document.activeElement;
      const role = one.getAttribute("role") ?? one.localName;
      return `${role}: ${one.getAttribute("aria-label") ?? one.textContent}`;
    });
  const tabTo = (wanted) =>
    until(`the focus on ${wanted}`, async () => {
      if (wanted.test(await focus())) return true;
      await page.keyboard.press("Tab");
      return false;
    });
  await question(page).waitFor();
  await page.keyboard.press("Tab");
  await tabTo(/^textarea/);
  await page.keyboard.type("What is 2 + 2?");
  await tabTo(/^radio: Math/);
  await page.keyboard.press("ArrowRight");
  assert.match(await focus(), /^radio: Code/);
  await page.keyboard.press("Home");
  await tabTo(/^button: Ask$/);
  await page.keyboard.press("Enter");
  await page.waitForURL(/#job\//);
  server.last.step(100);
  await seeText(page, "Thinking …");
  await tabTo(/^button: Thinking/);
  await page.keyboard.press("Enter");
  await page.getByRole("region", { name: "Its thinking" }).waitFor();
  await tabTo(/^button: Hide the thinking/);
  await page.keyboard.press("Space");
  await tabTo(/^button: Stop/);
  await page.keyboard.press("Enter");
  await seeText(page, "Stopped");
  assert.ok(!/^body/.test(await focus()), `the focus is not lost: ${await focus()}`);
  await tabTo(/New question$/);
  await page.keyboard.press("Enter");
  await question(page).waitFor();
});

check("the focus can be seen wherever it is", async (t) => {
  const server = await t.replayer();
  const page = await t.open(server);
  await question(page).waitFor();
  const unseen = [];
  for (let step = 0; step < 25; step++) {
    await page.keyboard.press("Tab");
    const found = await page.evaluate(() => {
      const one = document.activeElement;
      if (one === document.body) return null;
      const { outlineStyle, outlineWidth } = getComputedStyle(one);
      const isSeen = outlineStyle !== "none" && Number.parseFloat(outlineWidth) >= 2;
      return isSeen ? null : one.outerHTML.slice(0, 120);
    });
    if (found) unseen.push(found);
  }
  assert.deepEqual(unseen, []);
});

check("the language is the browser's, and is switched and remembered", async (t) => {
  const server = await t.replayer();
  const page = await t.open(server, { locale: "zh-CN" });
  await page.getByRole("textbox", { name: "你的问题" }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), "zh-CN");
  await page.getByRole("textbox").first().fill("1+1=?");
  await page.getByRole("button", { name: "English", exact: true }).click();
  await question(page).waitFor();
  assert.equal(await question(page).inputValue(), "1+1=?");
  await page.reload();
  await question(page).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), "en");
});

/** Words that are the same in Chinese. */
const SHARED_WORDS =
  /solverbox|VibeThinker|English|Enter|Shift|token|\.gguf|models\/README\.md|JSON|\\box\w*/gi;

/** Returns all that a page says, also to screen readers and in its title, without formulas. */
function sayings(page) {
  return page.evaluate(() => {
    const copy = document.documentElement.cloneNode(true);
    for (const left of copy.querySelectorAll(".katex, script, style, [lang=en]")) left.remove();
    const names = ["aria-label", "title", "placeholder", "alt"];
    const named = [...copy.querySelectorAll("*")].flatMap((element) =>
      names.map((name) => element.getAttribute(name) ?? ""),
    );
    const walker = document.createTreeWalker(copy, NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) texts.push(walker.currentNode.data);
    return [...texts, ...named];
  });
}

check(
  "no English word is left on the Chinese page",
  async (t) => {
    t.allow(NETWORK);
    const found = new Set();
    const one = answers().find(({ name }) => name === "chinese: 相遇问题");
    const four = [one, { ...one, value: "4" }, one, { ...one, value: null }];
    const jobs = {
      "in line": [{ attempts: [one], place: 3, eta: { seconds: 600, low: 300, high: 900 } }],
      thinking: [{ attempts: [one] }, (job) => job.step(20)],
      attempts: [
        { attempts: four, ask: { attempts: 4 } },
        (job) => job.stepTo(({ kind }) => kind === "attempt"),
      ],
      guess: [{ attempts: [one] }, (job) => job.stepAll()],
      votes: [{ attempts: four, ask: { attempts: 4 } }, (job) => job.stepAll()],
      hint: [{ attempts: [one], mode: "hint" }, (job) => job.stepAll()],
      review: [
        { attempts: [one], ask: { mode: "review", attempt_of_student: "第一行\n第二行" } },
        (job) => job.stepAll(),
      ],
      stopped: [{ attempts: [one] }, (job) => job.end("stopped")],
      failed: [
        { attempts: [one] },
        (job) => job.end("failed", { error: error("no_memory").error }),
      ],
    };
    const server = await t.replayer();
    for (const mode of server.modes.modes) mode.examples = [];
    const page = await t.open(server, { locale: "zh-CN" });
    const look = async (name) => {
      await page.waitForTimeout(400);
      for (const text of await sayings(page)) {
        const rest = text.replace(SHARED_WORDS, "").replace("Markdown", "");
        if (/[a-z]{3,}/i.test(rest)) found.add(`${name}: ${text}`);
      }
    };
    await look("ask");
    for (const [kind, retryAfter] of [
      ["too_many", "30"],
      ["no_space", ""],
      ["internal", ""],
    ]) {
      const headers = retryAfter ? { "Retry-After": retryAfter } : {};
      server.refuse("POST", "/api/jobs", { status: 500, body: error(kind), headers });
      await page
        .getByRole("textbox")
        .first()
        .fill(kind === "internal" ? "一" : "一加一等于几？");
      await page.locator("button[type=submit]").click({ force: true });
      await look(`refused ${kind}`);
      await page.reload();
    }
    for (const [name, [options, play = () => {}]] of Object.entries(jobs)) {
      const job = server.add({ question: one.question, ...options });
      play(job);
      await page.evaluate((id) => (location.hash = `#job/${id}`), job.id);
      await look(name);
    }
    await page.evaluate(() => (location.hash = "#history"));
    await look("history");
    assert.deepEqual([...found], []);
  },
  { limitMs: 60_000 },
);

await run();
