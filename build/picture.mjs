// Takes the pictures of the page in docs/: of a running box with real answers of the demo model.
//
//   target/venv/bin/node build/picture.mjs BINARY [FOLDER]
//
// `make picture` calls it after a build. The box runs in a data folder of its own.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch } from "../tests/page/browser.mjs";

const [binary, folder = "docs"] = process.argv.slice(2);
const QUESTION = "What is 348 + 577?";
const RIGHT = "925";
const PIN = "482 915 003";
/** A kiosk's screen, and a window on a desk. */
const KIOSK = { width: 1024, height: 600 };
const WINDOW = { width: 820, height: 900 };
/** As large as the documentation's pictures may be. */
const BYTES_MAX = 150_000;

/** Starts a box and returns its process and its address. */
async function startBox(data) {
  const box = spawn(binary, ["serve", "--model", "demo", "--listen", "127.0.0.1:0", "--data", data]);
  let log = "";
  for await (const part of box.stderr) {
    log += part;
    const address = log.match(/http:\/\/[0-9.:]+/);
    if (address) return { box, address: address[0] };
  }
  throw new Error(`the box did not start: ${log}`);
}

/** Opens a page and returns it. */
async function open(browser, address, viewport) {
  const context = await browser.newContext({ viewport, colorScheme: "light", locale: "en" });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  await page.goto(address);
  return page;
}

async function picture(page, name, fullPage = false) {
  const file = join(folder, `${name}.png`);
  await page.evaluate(() => document.activeElement?.blur());
  await page.waitForTimeout(500);
  const { length } = await page.screenshot({ path: file, fullPage });
  if (length > BYTES_MAX) throw new Error(`${file} has ${length} bytes: too many`);
  console.log(`wrote ${file}, ${length} bytes`);
}

const button = (page, name) => page.getByRole("button", { name, exact: true });

/** Asks the question with four attempts, and waits for the end of its answer. */
async function ask(page) {
  await page.getByRole("textbox", { name: "Your question" }).fill(QUESTION);
  await page.getByRole("radio", { name: /^4 attempts/ }).click();
  await button(page, "Ask").click();
  await button(page, "Print").waitFor();
  const answer = await page.locator(".job-result").first().textContent();
  if (!answer.includes(RIGHT)) throw new Error(`'${answer}' is not ${RIGHT}: run this again`);
}

async function takePictures(browser, address) {
  const page = await open(browser, address, WINDOW);
  const field = page.getByRole("textbox", { name: "Your question" });
  await field.fill("For which $k$ has $x^2 + kx + \\frac{9}{4} = 0$ exactly one solution?");
  await page.locator(".preview .katex").first().waitFor();
  await picture(page, "page-ask");
  await ask(page);
  // Opened again, it is only as tall as its text.
  await page.reload();
  await button(page, "Print").waitFor();
  await picture(page, "page", true);
  // A box that only its own machine reaches shows no link to take along.
  const path = await page.evaluate(async () => {
    const id = location.hash.split("/")[1];
    return (await (await fetch(`/api/jobs/${id}/share`, { method: "POST" })).json()).path;
  });

  const kiosk = await open(browser, `${address}/?kiosk=3`, KIOSK);
  await kiosk.getByRole("textbox", { name: "Your question" }).fill("What is 17 × 23?");
  await picture(kiosk, "page-kiosk");

  const big = await open(browser, `${address}/?big${path.slice(1)}`, KIOSK);
  await big.locator(".katex, .block").first().waitFor();
  for (const _ of [1, 2]) await big.keyboard.press("ArrowRight");
  await picture(big, "page-projector");

  const owner = await open(browser, `${address}/owner`, WINDOW);
  await owner.getByLabel(/PIN/).fill(PIN);
  await owner.keyboard.press("Enter");
  await owner.getByRole("button", { name: /sign out/i }).waitFor();
  await picture(owner, "page-owner");
}

const data = mkdtempSync(join(tmpdir(), "solverbox-picture-"));
execFileSync(binary, ["owner", "set-pin", "--data", data], { input: `${PIN}\n${PIN}\n` });
const { box, address } = await startBox(data);
try {
  const browser = await launch();
  await takePictures(browser, address);
  await browser.close();
} finally {
  box.kill();
  rmSync(data, { recursive: true, force: true });
}
