// Runs the checks of one file: each has a name that is a sentence, a browser page or several, and
// servers of its own. A check fails on whatever it asserts, and on any fault of the page that it
// does not declare: a console error, an exception, a policy violation, a request to another host.
//
//   target/venv/bin/node tests/page/FILE.mjs [--binary FILE] [--only WORDS]
//
// tests/page/browser.rs runs the files; PAGE_TRIALS=1 asks for full numbers of repetitions.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs, stripVTControlCharacters } from "node:util";
import { launch, visit } from "./browser.mjs";
import { Box } from "./box.mjs";
import { Replayer } from "./replayer.mjs";

export const ROOT = join(import.meta.dirname, "../..");
const FAILURES = join(ROOT, "target/page/failures");
const CHECK_MS_MAX = 120_000;

const { values: options } = parseArgs({
  options: {
    binary: {
      type: "string",
      default: join(ROOT, "target/x86_64-unknown-linux-gnu/release/solverbox"),
    },
    only: { type: "string", default: "" },
  },
});

export const isFull = Boolean(process.env.PAGE_TRIALS);

/** Returns the number for the short form, or for the full one. */
export const trials = (short, full) => (isFull ? full : short);

const checks = [];

/** Adds a check: `body` gets a `Check`. */
export function check(name, body, { limitMs = CHECK_MS_MAX } = {}) {
  checks.push({ name, body, limitMs });
}

/** Runs in a page before its script: counts what arrives on its streams. */
function countReads() {
  globalThis.readsDone = 0;
  const { read } = ReadableStreamDefaultReader.prototype;
  ReadableStreamDefaultReader.prototype.read = async function (...args) {
    const part = await read.apply(this, args);
    globalThis.readsDone += 1;
    return part;
  };
}

/** What one check has: servers and pages, which end with it, and the faults of its pages. */
class Check {
  faults = [];
  #allowed = [];
  #contexts = [];
  #servers = [];

  constructor(browser) {
    this.browser = browser;
  }

  /** Declares a fault that the check brings about. */
  allow(...patterns) {
    this.#allowed.push(...patterns);
  }

  /** Starts a replayer, the only one unless it is called again. */
  async replayer() {
    const server = await Replayer.start();
    this.#servers.push(server);
    return server;
  }

  /** Starts a real box with the demo model. */
  async box(args = [], more = {}) {
    const server = await Box.start(options.binary, args, more);
    this.#servers.push(server);
    return server;
  }

  /**
   * Opens a page of a server in a browser profile of its own. With `ownClock` the check can make
   * time pass (`page.clock`).
   */
  async open(server, { path = "/", ownClock = false, ...settings } = {}) {
    const context = await this.context(settings);
    if (ownClock) {
      await context.addInitScript(countReads);
      await context.clock.install();
    }
    return this.openIn(context, server, path);
  }

  async context(settings = {}) {
    const context = await visit(this.browser, settings, (fault) => this.faults.push(fault));
    this.#contexts.push(context);
    return context;
  }

  /** Opens one more tab of a profile. */
  async openIn(context, server, path = "/") {
    const page = await context.newPage();
    page.box = server;
    await page.goto(server.origin + path);
    return page;
  }

  async close() {
    for (const context of this.#contexts) await context.close().catch(() => {});
    for (const server of this.#servers) await server.close();
  }

  /** Returns the faults that were not declared. */
  undeclared() {
    return this.faults.filter((fault) => !this.#allowed.some((pattern) => pattern.test(fault)));
  }

  async takePictures(name) {
    mkdirSync(FAILURES, { recursive: true });
    const pages = this.#contexts.flatMap((context) => context.pages());
    for (const [at, page] of pages.entries()) {
      const file = `${name.replace(/[^a-z0-9]+/gi, "-").slice(0, 80)}-${at}.png`;
      await page.screenshot({ path: join(FAILURES, file), timeout: 5_000 }).catch(() => {});
    }
  }
}

/** Runs one check; returns what went wrong, if anything did. */
async function runOne(browser, { name, body, limitMs }) {
  const running = new Check(browser);
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`took longer than ${limitMs} ms`)), limitMs);
  });
  let failure = null;
  try {
    await Promise.race([body(running), late]);
    const faults = running.undeclared();
    if (faults.length > 0) failure = `faults of the page:\n${faults.slice(0, 10).join("\n")}`;
  } catch (error) {
    const faults = running
      .undeclared()
      .slice(0, 5)
      .map((fault) => `\nfault of the page: ${fault}`);
    failure = stripVTControlCharacters(error.stack ?? String(error)) + faults.join("");
  }
  clearTimeout(timer);
  if (failure) await running.takePictures(name);
  await running.close();
  return failure;
}

/** Runs the checks of this file and ends the process: with 1 if one failed. */
export async function run() {
  const wanted = checks.filter(({ name }) => name.includes(options.only));
  if (wanted.length === 0) throw new Error(`no check is named '${options.only}'`);
  const browser = await launch();
  const failures = [];
  for (const one of wanted) {
    const began = performance.now();
    const failure = await runOne(browser, one);
    const took = ((performance.now() - began) / 1000).toFixed(1);
    console.log(`${failure ? "FAILED" : "ok"} ${one.name} (${took} s)`);
    if (failure) failures.push(`FAILED ${one.name}\n${failure.replace(/^/gm, "    ")}`);
  }
  await browser.close();
  // Last, where a shortened log still has them.
  for (const failure of failures) console.log(failure);
  const isGood = failures.length === 0;
  console.log(isGood ? "all good" : `${failures.length} of ${wanted.length} checks failed`);
  process.exit(isGood ? 0 : 1);
}
