// Starts the browser and watches its pages: console errors, exceptions, violations of the policy
// and requests to other hosts are faults. Pages are loaded from a host name over plain HTTP, as in
// a class's network, so that nothing that needs a secure context is there.

import { accessSync, constants } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { HOST } from "./replayer.mjs";

const require = createRequire(join(import.meta.dirname, "../../target/node/"));
const { chromium } = require("playwright-core");

const NAMES = ["chromium-headless-shell", "chromium", "google-chrome"];
/** How long a page may take for what is waited for: two cores are shared by many. */
const PATIENCE_MS = 20_000;

/** Returns the path of the first browser that is installed. */
function browserPath() {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const paths = NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  for (const path of paths) {
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  throw new Error(`no browser found: install one of ${NAMES.join(", ")}`);
}

export function launch() {
  const args = [`--host-resolver-rules=MAP ${HOST} 127.0.0.1`, "--disable-background-networking"];
  return chromium.launch({ executablePath: browserPath(), args });
}

/** Makes a browser profile whose pages report their faults. */
export async function visit(browser, settings, onFault) {
  const usual = {
    locale: "en-GB",
    viewport: { width: 1024, height: 600 },
    reducedMotion: "reduce",
  };
  const context = await browser.newContext({ ...usual, ...settings });
  context.setDefaultTimeout(PATIENCE_MS);
  await context.addInitScript(reportViolations);
  context.on("weberror", (event) => {
    const { name, message, stack } = event.error();
    onFault(`exception: ${name}: ${message} ${stack ?? ""}`);
  });
  context.on("console", (message) => {
    if (message.type() === "error") onFault(`console: ${message.text()}`);
  });
  context.on("request", (request) => {
    const url = new URL(request.url());
    const isOwn = url.hostname === HOST || url.protocol === "data:" || url.protocol === "blob:";
    if (!isOwn) onFault(`foreign request: ${request.url()}`);
  });
  return context;
}

/** Hides a tab from its page, or shows it: a browser without windows never does that itself. */
export async function setHidden(page, isHidden) {
  await page.evaluate((isHidden) => {
    const state = isHidden ? "hidden" : "visible";
    Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
    Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
  }, isHidden);
}

/** Runs in each page before its own script. */
function reportViolations() {
  addEventListener("securitypolicyviolation", (event) => {
    console.error(
      `policy violation: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`,
    );
  });
  if (isSecureContext && location.protocol === "http:") console.error("this is a secure context");
}

/** Waits until a condition of the test process holds. */
export async function until(what, holds, limitMs = PATIENCE_MS) {
  const end = performance.now() + limitMs;
  for (;;) {
    const found = await holds();
    if (found) return found;
    if (performance.now() > end) throw new Error(`waited ${limitMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
