// Takes the README's picture, docs/page.png: the page of a running box with an answered question.
//
//   target/venv/bin/node build/picture.mjs BINARY [FILE]
//
// `make picture` calls it after a build. The box runs the demo model in a data folder of its own.

import { spawn } from "node:child_process";
import { accessSync, constants, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

const [binary, file = "docs/page.png"] = process.argv.slice(2);
const { chromium } = createRequire(join(process.cwd(), "target/node/"))("playwright-core");
const QUESTION = "What is 348 + 577?";
const RIGHT = "925";
/** Pixels of the page below what is shown of it. */
const MARGIN = 6;

/** Returns the path of the first browser that is installed. */
function browserPath() {
  const names = ["chromium-headless-shell", "chromium", "google-chrome"];
  const folders = (process.env.PATH ?? "").split(delimiter);
  const paths = names.flatMap((name) => folders.map((folder) => join(folder, name)));
  for (const path of paths) {
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  throw new Error(`no browser found: install one of ${names.join(", ")}`);
}

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

/** Asks the question on the page and takes the picture. */
async function takePicture(browser, address) {
  // Half as many pixels again as the page has points, so that text is sharp on dense screens.
  const viewport = { width: 720, height: 900 };
  const page = await browser.newPage({ viewport, deviceScaleFactor: 1.5, colorScheme: "light" });
  page.setDefaultTimeout(60_000);
  await page.goto(address);
  await page.waitForFunction(() => document.querySelectorAll("#mode option").length > 1);
  await page.fill("#question", QUESTION);
  await page.selectOption("#attempts", "4");
  await page.click("#ask");
  await page.waitForFunction(() => document.querySelector("#more").checkVisibility());
  const answer = await page.textContent("#boxed");
  if (!answer.includes(RIGHT)) throw new Error(`'${answer}' is not ${RIGHT}: run this again`);
  const height = await page.evaluate(() => {
    document.querySelector("#thinking").open = true;
    document.activeElement.blur();
    scrollTo(0, 0);
    return document.querySelector("#thinking").getBoundingClientRect().bottom;
  });
  const clip = { x: 0, y: 0, width: viewport.width, height: Math.floor(height) + MARGIN };
  await page.screenshot({ path: file, clip, fullPage: true });
}

const data = mkdtempSync(join(tmpdir(), "solverbox-picture-"));
const { box, address } = await startBox(data);
try {
  const browser = await chromium.launch({ executablePath: browserPath() });
  await takePicture(browser, address);
  await browser.close();
  console.log(`wrote ${file}`);
} finally {
  box.kill();
  rmSync(data, { recursive: true, force: true });
}
