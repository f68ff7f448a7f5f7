// What a room has of the page, on a real box: the kiosk, the projector, what is shared, and the
// owner's view. Each is brought about without words, so that it is the same in both languages.

import { until } from "./browser.mjs";
import { askLong } from "./parts.mjs";

export const PIN = "246810";
const ASKED = { question: "What is 348 + 577?", mode: "math", attempts: 1 };

/** Asks the box in the page's name, waits for the end, and shows the answer. */
async function answered(page) {
  const id = await page.evaluate(async (ask) => {
    const reply = await fetch("/api/jobs", { method: "POST", body: JSON.stringify(ask) });
    return (await reply.json()).id;
  }, ASKED);
  await until("the answer", () =>
    page.evaluate(async (id) => {
      const { state } = await (await fetch(`/api/jobs/${id}`)).json();
      return state === "done";
    }, id),
  );
  await page.evaluate((id) => (location.hash = `#job/${id}`), id);
  await page.locator(".job-copy").waitFor();
  return id;
}

/** Shares an answer of a page; opens it in the same profile, with more behind its path. */
async function shared(t, box, settings, more = "") {
  const page = await t.open(box, settings);
  const id = await answered(page);
  const path = await page.evaluate(async (id) => {
    const reply = await fetch(`/api/jobs/${id}/share`, { method: "POST" });
    return (await reply.json()).path;
  }, id);
  const [before, hash] = path.split("#");
  const other = await t.open(box, { ...settings, path: `${before}${more}#${hash}` });
  await other.locator(".prose").first().waitFor({ state: "attached" });
  return other;
}

async function ownersView(t, box, settings) {
  const page = await t.open(box, { ...settings, path: "/owner" });
  await askLong(page, { budget_tokens: 14_000 });
  await page.locator("#pin").fill(PIN);
  await page.locator("button[type=submit]").click();
  await page.locator("#pin").waitFor({ state: "detached" });
  await page.locator(".chart, canvas, .usage").first().waitFor();
  return page;
}

/** Each state by its name: opens a page of a box whose owner has `PIN`, and brings it there. */
export const ROOM_STATES = {
  kiosk: async (t, box, settings) => {
    const page = await t.open(box, { ...settings, path: "/?kiosk=3", hasTouch: true });
    await page.getByRole("textbox").first().tap();
    await page.locator(".keypad").waitFor();
    return page;
  },
  "kiosk-answer": async (t, box, settings) => {
    const page = await t.open(box, { ...settings, path: "/?kiosk=3" });
    await answered(page);
    return page;
  },
  "kiosk-warning": async (t, box, settings) => {
    const page = await t.open(box, { ...settings, path: "/?kiosk=1", ownClock: true });
    await answered(page);
    await until("the warning", async () => {
      await page.clock.runFor(5_000);
      return (await page.getByRole("alertdialog").count()) === 1;
    });
    await page.locator(".warning .take-along > button").click();
    await page.locator(".warning .qr").waitFor();
    return page;
  },
  connect: async (t, box, settings) => {
    const page = await t.open(box, { ...settings, path: "/#connect" });
    await page.locator(".qr").first().waitFor();
    return page;
  },
  ticket: async (t, box, settings) => {
    const page = await t.open(box, settings);
    await answered(page);
    await page.locator(".take-along > button").click();
    await page.locator(".qr").waitFor();
    return page;
  },
  shared: (t, box, settings) => shared(t, box, settings),
  projector: async (t, box, settings) => {
    const page = await shared(t, box, settings, "?big");
    await page.keyboard.press("ArrowRight");
    await page.locator(".block").filter({ visible: true }).first().waitFor();
    return page;
  },
  owner: ownersView,
  // The last: a wrong PIN makes the box wait before it takes the next.
  "sign-in": async (t, box, settings) => {
    const page = await t.open(box, { ...settings, path: "/owner" });
    await page.locator("#pin").fill("000000");
    await page.locator("button[type=submit]").click();
    await page.locator("#pin[aria-invalid=true]").waitFor();
    return page;
  },
};
