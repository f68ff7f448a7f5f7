// An update of the box under an open page: the scripts that the page has not loaded yet are gone,
// because each has the hash of its content in its name.

import assert from "node:assert/strict";
import { until } from "./browser.mjs";
import { check, run } from "./harness.mjs";
import { question } from "./parts.mjs";

const HISTORY = /\/assets\/history-/;
/** Longer than a second reload would take. */
const SETTLE_MS = 2_000;

const link = (page, name) => page.getByRole("link", { name, exact: true });

check("a page whose parts are gone loads itself again, once, and loses no word", async (t) => {
  t.allow(/console: Failed to load resource/, /exception: .*dynamically imported module/);
  const server = await t.replayer();
  const page = await t.open(server);
  await question(page).fill("Typed before the update");
  let loads = 0;
  page.on("load", () => loads++);
  await page.route(HISTORY, (route) => route.fulfill({ status: 404, body: "" }));
  await link(page, "Your questions").click();
  await until("the page to load itself again", () => loads === 1);
  // The part is still gone, so that loading again would never end.
  await page.waitForTimeout(SETTLE_MS);
  assert.equal(loads, 1);
  await page.unroute(HISTORY);
  await link(page, "New question").click();
  assert.equal(await question(page).inputValue(), "Typed before the update");
});

check("a box that is gone leaves its page on the screen", async (t) => {
  t.allow(/console: Failed to load resource/, /exception: .*dynamically imported module/);
  const server = await t.replayer();
  const page = await t.open(server);
  await question(page).fill("Typed before the box went");
  let loads = 0;
  page.on("load", () => loads++);
  await server.die();
  await link(page, "Your questions").click();
  await page.waitForTimeout(SETTLE_MS);
  await link(page, "New question").click();
  assert.equal(loads, 0);
  assert.equal(await question(page).inputValue(), "Typed before the box went");
});

await run();
