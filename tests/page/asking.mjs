// Asking: the button, the keys, the modes, the symbols, the draft, and every refusal of the box.

import assert from "node:assert/strict";
import { until } from "./browser.mjs";
import { check, run } from "./harness.mjs";
import { ask, button, isOnScreen, ownWork, question, radio, seeText } from "./parts.mjs";
import { error } from "./replayer.mjs";

const asked = (server) => server.asked("POST", "/api/jobs");
const lastAsk = (server) => JSON.parse(asked(server).pop().body);

check("the button asks once, however often it is pressed", async (t) => {
  const server = await t.replayer();
  const page = await t.open(server);
  await question(page).fill("What is 17*23?");
  await button(page, "Ask").dblclick();
  await page.waitForURL(/#job\//);
  assert.equal(asked(server).length, 1);
  const [{ headers, body }] = asked(server);
  assert.match(headers["idempotency-key"], /^[0-9a-f]{32}$/);
  assert.deepEqual(JSON.parse(body), { question: "What is 17*23?", mode: "math" });
});

check("once asked, the form folds to one line that opens to the whole question", async (t) => {
  const server = await t.replayer();
  const page = await t.open(server);
  await ask(page, `Solve $x^2 = 4$.\n\n${"Give every step. ".repeat(40)}The end.`);
  assert.equal(await page.getByRole("textbox", { name: "Your question" }).count(), 0);
  const folded = page.getByRole("region", { name: "Your question", exact: true });
  const { height } = await folded.boundingBox();
  assert.ok(await isOnScreen(folded), "it is on the screen");
  assert.ok(height < 100, `it is ${height} px high`);
  await folded.getByRole("button", { expanded: false }).click();
  await folded.getByText("The end.").filter({ visible: true }).last().waitFor();
});

check("Enter asks and Shift+Enter starts a line", async (t) => {
  const server = await t.replayer();
  const page = await t.open(server);
  await question(page).click();
  await page.keyboard.type("What is");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("2+2?");
  assert.equal(asked(server).length, 0);
  await page.keyboard.press("Enter");
  await page.waitForURL(/#job\//);
  assert.equal(lastAsk(server).question, "What is\n2+2?");
});

check("with touch, Enter starts a line", async (t) => {
  const server = await t.replayer();
  const touch = { hasTouch: true, isMobile: true, viewport: { width: 390, height: 844 } };
  const page = await t.open(server, touch);
  await question(page).tap();
  await page.keyboard.type("1+1?");
  await page.keyboard.press("Enter");
  await page.keyboard.type("and why?");
  assert.equal(await question(page).inputValue(), "1+1?\nand why?");
  assert.equal(asked(server).length, 0);
  await button(page, "Ask").tap();
  await page.waitForURL(/#job\//);
});

check("the Enter that composes a word or ends it does not ask", async (t) => {
  const server = await t.replayer();
  const page = await t.open(server);
  await question(page).click();
  const input = await page.context().newCDPSession(page);
  await input.send("Input.imeSetComposition", { text: "shu", selectionStart: 3, selectionEnd: 3 });
  const press = (more) =>
    question(page).evaluate((field, more) => {
      const options = { key: "Enter", bubbles: true, cancelable: true, ...more };
      return field.dispatchEvent(new KeyboardEvent("keydown", options));
    }, more);
  assert.equal(await press({ isComposing: true }), true, "the page leaves the key alone");
  assert.equal(await press({ keyCode: 229 }), true);
  await input.send("Input.insertText", { text: "数" });
  assert.equal(await question(page).inputValue(), "数");
  assert.equal(asked(server).length, 0);
  await page.waitForTimeout(150);
  await page.keyboard.press("Enter");
  await page.waitForURL(/#job\//);
});

check("each mode has a sentence and is asked by its name", async (t) => {
  const server = await t.replayer();
  const names = { Math: "math", Code: "code", Hint: "hint", Proof: "proof", Plain: "plain" };
  const page = await t.open(server);
  for (const [name, mode] of Object.entries(names)) {
    const choice = radio(page, new RegExp(`^${name} .+`));
    await choice.click();
    assert.equal(await choice.getAttribute("aria-checked"), "true");
    await ask(page, `What is ${name}?`);
    assert.equal(lastAsk(server).mode, mode);
    await button(page, "New question").click();
  }
});

check("the mode that reads a pupil's work asks for it", async (t) => {
  const server = await t.replayer();
  const page = await t.open(server);
  await radio(page, /^Review/).click();
  await question(page).fill("Solve 2x = 6.");
  await button(page, "Ask").click();
  await seeText(page, "Write down your own work first.");
  assert.equal(asked(server).length, 0);
  assert.ok(await ownWork(page).evaluate((field) => field === document.activeElement));
  await ownWork(page).fill("x = 12");
  await button(page, "Ask").click();
  await page.waitForURL(/#job\//);
  assert.equal(lastAsk(server).attempt_of_student, "x = 12");
});

check("nothing is asked without a question", async (t) => {
  const server = await t.replayer();
  const page = await t.open(server);
  await question(page).fill("  \n ");
  await button(page, "Ask").click();
  await seeText(page, "Type a question first.");
  assert.equal(asked(server).length, 0);
});

check("how sure: 1, 4 or 8 attempts, each with the time to expect", async (t) => {
  const server = await t.replayer();
  const page = await t.open(server);
  await question(page).fill("What is 98*78?");
  for (const [name, time] of [
    ["1 attempt", /1 min/],
    ["4 attempts", /4 min/],
    ["8 attempts", /8 min/],
  ]) {
    await radio(page, new RegExp(`^${name}.*${time.source}`)).waitFor();
  }
  await radio(page, /^4 attempts/).click();
  await ask(page, "What is 98*78?");
  assert.equal(lastAsk(server).attempts, 4);
});

check("the budget stands behind More", async (t) => {
  const server = await t.replayer();
  const page = await t.open(server);
  await page.getByText("More", { exact: true }).click();
  const budget = page.getByRole("textbox", { name: "Thinking limit, in tokens" });
  await budget.fill("zwölf");
  await question(page).fill("1+1?");
  await button(page, "Ask").click();
  await seeText(page, /must be a whole number/);
  await budget.fill("500");
  await ask(page, "1+1?");
  assert.equal(lastAsk(server).budget_tokens, 500);
});

check("symbols are typed at the caret and undone", async (t) => {
  const server = await t.replayer();
  const page = await t.open(server);
  await question(page).fill("If  then?");
  await question(page).evaluate((field) => field.setSelectionRange(3, 3));
  await button(page, "Pi").click();
  assert.equal(await question(page).inputValue(), "If π then?");
  await page.keyboard.type("!");
  assert.equal(await question(page).inputValue(), "If π! then?");
  await button(page, "Square root").click();
  await page.keyboard.type("2");
  assert.match(await question(page).inputValue(), /^If π!\$\\sqrt\{2\}\$ then\?$/);
  for (let undo = 0; undo < 6; undo++) await page.keyboard.press("Control+z");
  assert.equal(
    await question(page)
      .inputValue()
      .then((text) => text.includes("π")),
    false,
  );
});

check("typed formulas are previewed", async (t) => {
  const server = await t.replayer();
  const page = await t.open(server);
  await question(page).fill("Solve $\\frac{x}{2} = 3$ and pay $5 or $10.");
  const preview = page.getByRole("region", { name: "Preview" });
  await preview.locator(".katex").first().waitFor();
  assert.equal(await preview.locator(".katex").count(), 1);
  await question(page).fill("No formula, just $5 and $10.");
  await preview.waitFor({ state: "detached" });
});

check("from half the limit on the length is shown", async (t) => {
  const server = await t.replayer();
  const page = await t.open(server);
  await question(page).fill("word ".repeat(300));
  assert.equal(await page.getByText(/^Length:/).count(), 0);
  await question(page).fill("word ".repeat(1200));
  await seeText(page, /^Length: about [\d,]+ of 2,048 tokens/);
  await question(page).fill("word ".repeat(2500));
  await seeText(page, /too long/);
});

check("an example is tapped, and a text that it replaces comes back", async (t) => {
  const server = await t.replayer();
  const page = await t.open(server);
  await question(page).fill("my own words");
  await page.getByRole("button", { name: /348/ }).click();
  assert.match(await question(page).inputValue(), /348/);
  await button(page, "Bring my text back").click();
  assert.equal(await question(page).inputValue(), "my own words");
});

check("modes that the demo model cannot do say how to get a model that can", async (t) => {
  const server = await t.replayer();
  server.modes.is_demo = true;
  server.modes.modes = server.modes.modes.map((mode) => ({
    ...mode,
    is_supported: mode.name === "math" || mode.name === "plain",
  }));
  server.health.demo = true;
  const page = await t.open(server);
  const proof = radio(page, /^Proof needs a real model/);
  assert.equal(await proof.getAttribute("aria-disabled"), "true");
  await proof.click({ force: true });
  await seeText(page, /VibeThinker is a free model/);
  await ask(page, "What is 2+2?");
  assert.equal(lastAsk(server).mode, "math");
});

check("a draft survives a reload and goes once it is asked", async (t) => {
  const server = await t.replayer();
  const page = await t.open(server);
  await question(page).fill("Half a question about $x$");
  await radio(page, /^8 attempts/).click();
  await page.reload();
  assert.equal(await question(page).inputValue(), "Half a question about $x$");
  assert.equal(await radio(page, /^8 attempts/).getAttribute("aria-checked"), "true");
  await button(page, "Ask").click();
  await page.waitForURL(/#job\//);
  await button(page, "New question").click();
  assert.equal(await question(page).inputValue(), "");
});

check("two tabs have a draft each", async (t) => {
  const server = await t.replayer();
  const context = await t.context();
  const [one, two] = [await t.openIn(context, server), await t.openIn(context, server)];
  await question(one).fill("one");
  await question(two).fill("two");
  await one.reload();
  await two.reload();
  assert.equal(await question(one).inputValue(), "one");
  assert.equal(await question(two).inputValue(), "two");
});

const REFUSALS = [
  { status: 429, kind: "too_many", retryS: 2, says: /question|wait/i },
  { status: 503, kind: "busy", retryS: 2, says: /too much/i },
  { status: 503, kind: "stopped", says: /off|stopp/i },
  { status: 503, kind: "no_memory", says: /memory/i },
  { status: 507, kind: "no_space", says: /space|disk|full/i },
  { status: 413, kind: "too_long", says: /long/i },
  { status: 404, kind: "not_found", says: /not/i },
  { status: 403, kind: "forbidden", says: /not|may/i },
  { status: 500, kind: "internal", says: /fault|wrong/i },
];

for (const { status, kind, retryS, says } of REFUSALS) {
  check(
    `a question refused with ${status} ${kind} keeps its words and says what to do`,
    async (t) => {
      t.allow(/console: Failed to load resource/);
      const server = await t.replayer();
      const page = await t.open(server);
      const headers = retryS ? { "Retry-After": String(retryS) } : {};
      server.refuse("POST", "/api/jobs", { status, body: error(kind), headers });
      await question(page).fill("Kept?");
      await button(page, "Ask").click();
      const problem = page.locator(".bad", { hasText: says }).filter({ visible: true });
      await problem.waitFor();
      assert.ok(await isOnScreen(problem), "it stands on the screen");
      assert.equal(await question(page).inputValue(), "Kept?");
      if (retryS) {
        await seeText(page, /You can ask again in [12] s\./);
        await button(page, "Ask").click({ force: true });
        assert.equal(asked(server).length, 1, "before its time nothing is sent");
        await page.getByText(/ask again in/).waitFor({ state: "detached" });
      }
      await button(page, "Ask").click();
      await page.waitForURL(/#job\//);
      const keys = new Set(asked(server).map(({ headers: sent }) => sent["idempotency-key"]));
      assert.equal(keys.size, 1, "tried again it is the same question");
    },
  );
}

check("a box with a new secret is asked again without a word", async (t) => {
  t.allow(/console: Failed to load resource.*401/);
  const server = await t.replayer();
  const page = await t.open(server);
  server.refuse("POST", "/api/jobs", { status: 401, body: error("unauthorized") });
  await ask(page, "Still me?");
  assert.equal(asked(server).length, 2);
  assert.equal(server.asked("GET", "/").length, 2, "the page was loaded again for its cookie");
});

check("a reply that gets lost does not ask twice", async (t) => {
  t.allow(/console: Failed to load resource/);
  const server = await t.replayer();
  const page = await t.open(server);
  server.loseReply("POST", "/api/jobs");
  await question(page).fill("Only once");
  await button(page, "Ask").click();
  await page.locator(".bad").filter({ visible: true }).first().waitFor();
  assert.equal(server.jobs.size, 1);
  await button(page, "Ask").click();
  await page.waitForURL(/#job\//);
  assert.equal(server.jobs.size, 1);
});

check("a box that is gone while asking is said, and the words stay", async (t) => {
  t.allow(/console: Failed to load resource/);
  const server = await t.replayer();
  const page = await t.open(server);
  await question(page).fill("Are you there?");
  await server.die();
  await button(page, "Ask").click();
  await page.locator(".bad").filter({ visible: true }).first().waitFor();
  assert.equal(await question(page).inputValue(), "Are you there?");
  await server.listen();
  await until("the box to be back", async () => {
    await button(page, "Ask").click({ force: true });
    return server.jobs.size === 1;
  });
});

check("a paste of 5 MB neither stops the page nor is lost on the way", async (t) => {
  const server = await t.replayer();
  const page = await t.open(server);
  const began = performance.now();
  await question(page).evaluate((field) => {
    field.focus();
    field.value = "x^2 + 3x and $5 ".repeat(5 * 65_536);
    field.dispatchEvent(new InputEvent("input", { bubbles: true, inputType: "insertFromPaste" }));
  });
  await seeText(page, /too long/);
  await button(page, "Ask").click();
  await page.locator(".bad").filter({ visible: true }).first().waitFor();
  const took = performance.now() - began;
  assert.ok(took < 10_000, `it took ${took} ms`);
  assert.equal(asked(server).length, 0);
});

await run();
