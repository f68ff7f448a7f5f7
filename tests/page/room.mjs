// The room, on a real box: a question taken along and shown large, a kiosk that forgets the last
// person, connecting other devices, and the owner.

import assert from "node:assert/strict";
import { until } from "./browser.mjs";
import { check, run } from "./harness.mjs";
import { PIN } from "./room-states.mjs";
import { askLong, button, question, seeText } from "./parts.mjs";

const NETWORK = /console: Failed to load resource/;
const SLOW = ["--context-tokens", "16384"];

/** Asks the box on its page and waits for the answer. */
async function answered(page, text = "What is 348 + 577?") {
  await question(page).fill(text);
  await button(page, "Ask").click();
  await page.waitForURL(/#job\//);
  await seeText(page, /^Ready/);
}

/** Takes the question on the page along; returns the link. */
async function takeAlong(page) {
  await button(page, "Take along").click();
  const ticket = page.getByRole("region", { name: "Take this question along" });
  const code = ticket.getByRole("img", { name: /^QR code: http/ });
  await code.waitFor();
  const link = (await code.getAttribute("aria-label")).replace("QR code: ", "");
  assert.ok((await ticket.textContent()).includes(link), "the link can be read");
  return new URL(link);
}

check("a question is taken along to another device, read there, and taken back", async (t) => {
  t.allow(NETWORK);
  const box = await t.box();
  const page = await t.open(box);
  await answered(page);
  const { pathname, search, hash } = await takeAlong(page);
  const other = await t.open(box, { path: pathname + search + hash });
  await seeText(other, /348 \+ 577/);
  await other.getByRole("region", { name: "Answer", exact: true }).waitFor();
  for (const name of ["Stop", "Ask again", "Go on", "Take along", "Check with 3 more"]) {
    assert.equal(await button(other, name).count(), 0, name);
  }
  await button(page, "Take the link back").click();
  await seeText(page, "The link no longer works.");
  await other.reload();
  await seeText(other, "This link no longer works.");
});

check("a shared question follows the answer while it is written", async (t) => {
  t.allow(NETWORK);
  const box = await t.box(SLOW);
  const page = await t.open(box);
  const id = await askLong(page, { budget_tokens: 8_000 });
  await page.evaluate((id) => (location.hash = `#job/${id}`), id);
  await button(page, "Stop").waitFor();
  const path = await page.evaluate(async (id) => {
    const reply = await fetch(`/api/jobs/${id}/share`, { method: "POST" });
    return (await reply.json()).path;
  }, id);
  const other = await t.open(box, { path });
  await seeText(other, /Thinking …|Answering …/);
  await button(page, "Stop").click();
  await seeText(other, "Stopped");
});

check("shown large, an answer is revealed block after block", async (t) => {
  t.allow(NETWORK);
  const box = await t.box();
  const page = await t.open(box);
  await answered(page);
  const coming = page.context().waitForEvent("page");
  await takeAlong(page);
  await page.getByRole("link", { name: "Show it large, for a projector" }).click();
  const big = await coming;
  await seeText(big, /348 \+ 577/);
  await seeText(big, /^0 of \d+$/);
  const blocks = big.getByRole("region", { name: "Answer" }).locator(".block");
  assert.equal(await blocks.filter({ visible: true }).count(), 0);
  await big.keyboard.press("ArrowRight");
  await seeText(big, /^1 of \d+$/);
  assert.equal(await blocks.filter({ visible: true }).count(), 1);
  await big.keyboard.press("ArrowLeft");
  await seeText(big, /^0 of \d+$/);
  const size = await big
    .getByText(/348/)
    .first()
    .evaluate((element) => Number.parseFloat(getComputedStyle(element).fontSize));
  assert.ok(size >= 24, `the letters have ${size} px`);
});

check("a kiosk is typed into with its own keypad", async (t) => {
  const box = await t.box();
  const page = await t.open(box, { path: "/?kiosk=3", hasTouch: true });
  await question(page).tap();
  const keypad = page.getByRole("region", { name: "Keypad" });
  const strike = (name) => keypad.getByRole("button", { name, exact: true }).tap();
  for (const sign of ["3", "4", "8"]) await strike(sign);
  await strike("Delete");
  await strike("Mathematics");
  await strike("Pi");
  assert.equal(await question(page).inputValue(), "34π");
  await strike("Delete");
  // The system's own keyboard would cover the keypad.
  assert.equal(await question(page).evaluate((field) => field.inputMode), "none");
  await button(page, "Ask").tap();
  await page.waitForURL(/#job\//);
});

/** Makes time pass at a kiosk, in steps that let it ask the box. */
async function pass(page, seconds) {
  for (let second = 0; second < seconds; second += 5) {
    await page.clock.runFor(5_000);
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(done))).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

check("an idle kiosk warns and then forgets the last person", async (t) => {
  t.allow(NETWORK);
  const box = await t.box();
  const page = await t.open(box, { path: "/?kiosk=1", ownClock: true });
  await answered(page);
  const cookie = async () => (await page.context().cookies()).map(({ value }) => value).join();
  const before = await cookie();
  const link = await takeAlong(page);
  await pass(page, 65);
  const warning = page.getByRole("alertdialog", { name: "Are you still there?" });
  await warning.waitFor();
  await button(page, "I am still here").click();
  await warning.waitFor({ state: "detached" });
  await pass(page, 65);
  await warning.waitFor();
  const gone = page.waitForEvent("framenavigated");
  await pass(page, 25);
  await gone;
  await question(page).waitFor();
  assert.equal(await question(page).inputValue(), "");
  assert.notEqual(await cookie(), before);
  const stored = await page.evaluate(() => ({ ...localStorage, ...sessionStorage }));
  assert.equal(JSON.stringify(stored).includes("348"), false);
  await page.getByRole("link", { name: "Your questions" }).click();
  await seeText(page, "You have not asked anything yet.");
  await page.goBack().catch(() => {});
  assert.equal(await page.getByText("348").filter({ visible: true }).count(), 0);
  const other = await t.open(box, { path: link.pathname + link.search + link.hash });
  await seeText(other, /348 \+ 577/);
});

check("a question that is being answered puts a kiosk's end off", async (t) => {
  t.allow(NETWORK);
  const box = await t.box(SLOW);
  const page = await t.open(box, { path: "/?kiosk=1", ownClock: true });
  const id = await askLong(page, { budget_tokens: 14_000 });
  await page.evaluate((id) => (location.hash = `#job/${id}`), id);
  await button(page, "Stop").waitFor();
  await pass(page, 120);
  assert.equal(await page.getByRole("alertdialog").count(), 0);
  await button(page, "Stop").click();
  await seeText(page, "Stopped");
});

check("other devices are shown an address with a code", async (t) => {
  const box = await t.box();
  const page = await t.open(box);
  await page.getByRole("link", { name: "Connect" }).click();
  await page.getByRole("img", { name: `QR code: ${box.origin}` }).waitFor();
  await seeText(page, box.origin);
});

check("the owner signs in with a PIN, stops a question, and signs out", async (t) => {
  t.allow(NETWORK);
  const box = await t.box(SLOW, { pin: PIN });
  const pupil = await t.open(box);
  const id = await askLong(pupil, { budget_tokens: 14_000 });
  await pupil.evaluate((id) => (location.hash = `#job/${id}`), id);
  const page = await t.open(box, { path: "/owner" });
  const field = page.getByLabel("Owner's PIN");
  await field.fill("000000");
  await button(page, "Sign in").click();
  await seeText(page, "This PIN is wrong.");
  await until(
    "the wait to be over",
    async () => (await button(page, "Sign in").getAttribute("aria-disabled")) === "false",
  );
  await field.fill(PIN);
  await button(page, "Sign in").click();
  await seeText(page, "Questions in the box");
  assert.equal(await page.getByText("348 + 577").count(), 0, "the owner reads no questions");
  await page.getByRole("button", { name: /^Stop: Math/ }).click();
  await seeText(pupil, "Stopped");
  await seeText(page, "No question is waiting or being answered.");
  await seeText(page, "The last 14 days");
  await button(page, "Sign out").click();
  await field.waitFor();
});

await run();
