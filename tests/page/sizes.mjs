// What the page weighs and how soon it can be typed into, on the processor of a board.

import assert from "node:assert/strict";
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { check, isFull, run } from "./harness.mjs";
import { question } from "./parts.mjs";
import { DIST } from "./site-files.mjs";

const KB = 1_000;
const FIRST_BYTES_MAX = 60 * KB;
const FIRST_REQUESTS_MAX = 8;
const AGAIN_REQUESTS_MAX = 4;
const MATHS_BYTES_MAX = 90 * KB;
const DIST_BYTES_MAX = 1_000 * KB;
const SLOWER = 6;
const READY_MS_MAX = 600;
const READY_RUNS = 5;
const SETTLE_MS = 1_500;

const isFont = ({ path }) => path.endsWith(".woff2");
const isMaths = ({ path }) => /^\/assets\/(typesetter|math)-/.test(path);
const isFile = ({ path }) => path === "/" || path.startsWith("/assets/");

/** Returns the gzipped bytes of a file that was requested. */
function packed({ path }) {
  const file = readFileSync(join(DIST, path === "/" ? "index.html" : path));
  return gzipSync(file, { level: 9 }).length;
}

const sum = (requests) => requests.reduce((total, request) => total + packed(request), 0);
const list = (requests) => requests.map(({ path, query }) => `${path}?${query}`).join(" ");

check("the first load is small and takes few requests, the second fewer", async (t) => {
  const server = await t.replayer();
  const page = await t.open(server);
  await question(page).waitFor();
  await page.waitForTimeout(SETTLE_MS);
  const first = server.requests.splice(0);
  const bytes = sum(first.filter(isFile));
  console.log(`    first load: ${bytes} bytes, ${first.length} requests: ${list(first)}`);
  assert.ok(bytes <= FIRST_BYTES_MAX, `${bytes} bytes`);
  assert.equal(first.filter(isFont).length, 0);
  assert.ok(first.length <= FIRST_REQUESTS_MAX, list(first));
  await page.reload();
  await question(page).waitFor();
  await page.waitForTimeout(SETTLE_MS);
  const again = server.requests.splice(0);
  console.log(`    again: ${again.length} requests: ${list(again)}`);
  assert.ok(again.length <= AGAIN_REQUESTS_MAX, list(again));
});

check("mathematics is loaded when it is needed and is small", async (t) => {
  const server = await t.replayer();
  const page = await t.open(server);
  await question(page).waitFor();
  await page.waitForTimeout(SETTLE_MS);
  assert.equal(server.requests.filter(isMaths).length, 0);
  const job = server.add({ attempts: [{ answer: "It is $\\frac{1}{2}$.", value: null }] });
  job.stepAll();
  await page.evaluate((id) => (location.hash = `#job/${id}`), job.id);
  await page.getByRole("region", { name: "Answer", exact: true }).locator(".katex").waitFor();
  const maths = server.requests.filter(isMaths);
  const bytes = sum(maths);
  console.log(`    mathematics: ${bytes} bytes: ${list(maths)}`);
  assert.ok(bytes > 0 && bytes <= MATHS_BYTES_MAX, `${bytes} bytes`);
});

check("all of dist is small", async () => {
  const files = readdirSync(DIST, { recursive: true }).map((name) => statSync(join(DIST, name)));
  const bytes = files.filter((file) => file.isFile()).reduce((total, { size }) => total + size, 0);
  console.log(`    dist: ${bytes} bytes`);
  assert.ok(bytes <= DIST_BYTES_MAX, `${bytes} bytes`);
});

/** Runs in the page before its script: notes when the question can be typed. */
function noteReady() {
  new MutationObserver((_, observer) => {
    const field = document.querySelector("textarea:not([readonly]):not([disabled])");
    if (!field) return;
    observer.disconnect();
    // After the next frame a key reaches it.
    requestAnimationFrame(() => setTimeout(() => (globalThis.readyAt = performance.now())));
  }).observe(document, { childList: true, subtree: true });
}

/** Returns how long a page takes with a slow processor and an empty cache. */
async function loadTime(t, server, path, isReady) {
  const context = await t.context();
  await context.addInitScript(noteReady);
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send("Emulation.setCPUThrottlingRate", { rate: SLOWER });
  await page.goto(server.origin + path);
  const took = await page.waitForFunction(isReady);
  const ms = await took.jsonValue();
  await context.close();
  return ms;
}

const median = (times) => [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)];

/** Returns how long after a blank page the page can be typed into, as medians of one round. */
async function readyAfterBlank(t, server) {
  const [blank, ready] = [[], []];
  for (let at = 0; at < READY_RUNS; at++) {
    blank.push(
      await loadTime(t, server, "/healthz", () => {
        const { loadEventEnd } = performance.getEntriesByType("navigation")[0];
        return loadEventEnd;
      }),
    );
    ready.push(await loadTime(t, server, "/", () => globalThis.readyAt));
  }
  console.log(`    ready ${median(ready).toFixed(0)} ms, blank ${median(blank).toFixed(0)} ms`);
  return median(ready) - median(blank);
}

check(
  "the page can be typed into soon after a blank page would be there",
  async (t) => {
    const server = await t.replayer();
    const after = await readyAfterBlank(t, server);
    // In the suite other tests run at the same time: only a run by itself is judged.
    if (isFull) assert.ok(after <= READY_MS_MAX, `${after.toFixed(0)} ms after a blank page`);
  },
  { limitMs: 120_000 },
);

await run();
