// Texts that want to harm: each is answered, and asked, without anything running, loading, covering
// or stopping the page.

import assert from "node:assert/strict";
import { until } from "./browser.mjs";
import { check, run } from "./harness.mjs";
import { ask, button, jobPart, openJob, question, seeText, thinkingLine } from "./parts.mjs";

const many = (text, count) => text.repeat(count);

/** Answers by what they try; `shows` must be readable on the page. */
const ANSWERS = {
  "a script": { text: "A <script>globalThis.harmed = 1</script> B", shows: "<script>" },
  "an image that fails": {
    text: '<img src=x onerror="globalThis.harmed=1"> and ![picture](http://evil.test/x.png)',
    shows: "onerror",
  },
  "an SVG": {
    text: '<svg onload=globalThis.harmed=1><a xlink:href="javascript:1">x</a></svg>',
    shows: "<svg",
  },
  links: {
    text:
      "[click](javascript:globalThis.harmed=1) <javascript:alert(1)> "
      + "[b](http://evil.test) http://evil.test",
    shows: "javascript:",
  },
  "a frame and a style": {
    text: '<iframe src="http://evil.test"></iframe>\n\n<style>* { display: none }</style>\n\nseen',
    shows: "seen",
  },
  "a form": {
    text: '<form action="/api/jobs" method=post><button>Ask</button></form>',
    shows: "<form",
  },
  entities: {
    text: "&lt;script&gt;globalThis.harmed=1&lt;/script&gt; &#60;b&#62;",
    shows: "script",
  },
  "marks that turn the direction": {
    text: "price \u202E001$ \u2066x\u2069 \u200F end of it",
    shows: "end of it",
  },
  "a word of 10,000 letters": { text: `${many("x", 10_000)} end of it`, shows: "end of it" },
  "100,000 braces": { text: `$${many("{", 100_000)} end of it`, shows: "end of it" },
  "100,000 braces in a formula": {
    text: `$$${many("{", 100_000)}$$ end of it`,
    shows: "end of it",
  },
  "macros that call themselves": {
    text:
      "$\\def\\a{\\a\\a}\\a$ and $\\newcommand{\\b}{\\b}\\b$ "
      + "and $\\gdef\\x{\\x\\x\\x}\\x$ end of it",
    shows: "end of it",
  },
  "a macro that stays": {
    text: "$\\gdef\\frac#1#2{HARM}$ then $\\frac{1}{2}$ end of it",
    shows: "end of it",
  },
  "huge boxes": {
    text:
      "$\\rule{9999em}{9999em}$ and $\\hspace{-9999em}x$ "
      + "and $\\raisebox{9999em}{x}\\kern-9999em y$ end of it",
    shows: "end of it",
  },
  "links and pages in formulas": {
    text:
      "$\\href{javascript:globalThis.harmed=1}{x}$ $\\url{javascript:1}$ "
      + "$\\includegraphics{http://evil.test/x.png}$ "
      + "$\\htmlStyle{position:fixed;inset:0}{x}$ end of it",
    shows: "end of it",
  },
  "fractions 300 deep": {
    text: `$${many("\\frac{1}{", 300)}2${many("}", 300)}$ end of it`,
    shows: "end of it",
  },
  "a formula of 50,000 signs": {
    text: `$$${many("x + ", 12_500)}x$$\n\nend of it`,
    shows: "end of it",
  },
  "20,000 dollars": { text: `${many("$", 20_000)} end of it`, shows: "end of it" },
  "20,000 stars": { text: `${many("*a ", 20_000)} end of it`, shows: "end of it" },
  "50,000 brackets": { text: `${many("[", 50_000)} end of it`, shows: "end of it" },
  "quotes 500 deep": { text: `${many("> ", 500)}end of it`, shows: "end of it" },
  "lists 300 deep": {
    text:
      Array.from({ length: 300 }, (_, depth) => `${many("  ", depth)}- x`).join("\n")
      + "\n\nend of it",
    shows: "end of it",
  },
  "a table of 200 columns": {
    text: `${many("| a ", 200)}|\n${many("|---", 200)}|\n${many("| 1 ", 200)}|\n\nend of it`,
    shows: "end of it",
  },
  "a fence that never ends": {
    text: "Code:\n\n```python\nprint(1)\n# still code $x$ end of it",
    shows: "end of it",
  },
  "</think> in code": { text: "```html\n</think>\n<think>\n```\n\nend of it", shows: "</think>" },
  "control characters": {
    text: "a\u0000b\u0007c\u001b[31md\u200Be\uFEFFf end of it",
    shows: "end of it",
  },
};

const FORBIDDEN =
  "script, iframe, img, object, embed, style, link, base, meta, video, audio, "
  + "a[href]:not([href^='#job/']), svg:not(.katex svg)";

/** Fails if something ran, loaded, covers the page or makes it wider than the screen. */
async function unharmed(page, part) {
  assert.equal(await page.evaluate(() => globalThis.harmed), undefined);
  const found = await part.locator(FORBIDDEN).evaluateAll((all) => all.map((one) => one.outerHTML));
  assert.deepEqual(found, []);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `the page is ${wide} px wider than the screen`);
}

check(
  "hostile answers are shown as text and nothing else happens",
  async (t) => {
    const server = await t.replayer();
    const page = await t.open(server);
    for (const [name, { text, shows }] of Object.entries(ANSWERS)) {
      const began = performance.now();
      const job = server.add({ attempts: [{ thinking: text, answer: text, value: null }] });
      await page.evaluate((id) => (location.hash = `#job/${id}`), job.id);
      await until("a reader", () => job.readers === 1);
      job.step(300);
      await page.waitForTimeout(120);
      job.stepAll();
      const part = page.getByRole("region", { name: "Answer", exact: true });
      try {
        await part.getByText(shows).first().waitFor();
        await seeText(page, "Ready");
        await unharmed(page, jobPart(page));
        assert.equal(await part.locator("form").count(), 0);
        await thinkingLine(page).click();
        await page.waitForTimeout(50);
        await unharmed(page, jobPart(page));
        // The frame can still be used: nothing lies over it.
        await button(page, "New question").click();
        await question(page).waitFor();
        const took = performance.now() - began;
        assert.ok(took < 10_000, `it took ${took} ms`);
      } catch (failure) {
        failure.message = `${name}: ${failure.message}`;
        throw failure;
      }
    }
  },
  { limitMs: 180_000 },
);

check("hostile questions and values are shown as text, in the history too", async (t) => {
  const server = await t.replayer();
  const text =
    "<img src=x onerror=globalThis.harmed=1> $\\href{javascript:1}{x}$ \u202E [a](javascript:1)";
  const value = "\\href{javascript:globalThis.harmed=1}{x}<b>";
  const attempts = [
    { answer: `$\\boxed{${value}}$`, value },
    { answer: "no", value: "<svg onload=1>" },
  ];
  server.onAsk = () => ({ attempts });
  const page = await t.open(server);
  await question(page).fill(text);
  await page.waitForTimeout(600);
  await unharmed(page, page.locator("form"));
  const job = await ask(page, text);
  job.wanted = 2;
  job.stepAll();
  await seeText(page, "Ready");
  await unharmed(page, page.locator("main"));
  await page.getByRole("link", { name: "Your questions" }).click();
  await page
    .getByText(/onerror/)
    .first()
    .waitFor();
  await unharmed(page, page.locator("main"));
});

check("5 MB of short lines are not pasted, said at once, and take nothing away", async (t) => {
  const server = await t.replayer();
  const page = await t.open(server);
  const field = question(page);
  await field.pressSequentially("What is this?");
  await page.evaluate(() => {
    const copy = (event) => {
      event.clipboardData.setData("text/plain", "x = 1\n".repeat(5e6 / 6));
      event.preventDefault();
    };
    document.addEventListener("copy", copy, { once: true });
  });
  await page.keyboard.press("Control+c");
  const began = performance.now();
  await page.keyboard.press("Control+v");
  await seeText(page, /^Not pasted: this text has about [\d,]+ tokens/);
  const took = performance.now() - began;
  assert.ok(took < 1_000, `the page took ${took} ms`);
  assert.equal(await field.inputValue(), "What is this?");
  await page.keyboard.press("Control+z");
  assert.notEqual(await field.inputValue(), "What is this?", "the undo is that of the typing");
  await page.locator("form .bad").waitFor({ state: "detached" });
});

await run();
