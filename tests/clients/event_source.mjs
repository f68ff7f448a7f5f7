// `EventSource` in a real browser, over a box that is killed meanwhile: tests/api/clients.rs runs it with the
// box's URL, the browser, and the code of docs/clients.md that follows a job.
//
// It says "reading" when there is text, waits until it is told that the box is back, and ends with what
// the page and the box then have, as JSON.

import { once } from "node:events";
import { chromium } from "playwright-core";

const [box, executablePath, follow] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--disable-background-networking"] });
const page = await browser.newPage();
page.setDefaultTimeout(120_000);
const places = []; // the Last-Event-ID of each request for events
page.on("request", async (request) => {
  if (request.url().endsWith("/events")) places.push((await request.allHeaders())["last-event-id"] ?? null);
});
await page.goto(box);

// Asks for more than a moment's work: the answer goes on where the model would have ended it.
const job = await page.evaluate(async () => {
  const messages = [{ role: "user", content: "What is 348 + 577?" }];
  const fields = { stream: true, durable: true, ignore_eos: true, max_tokens: 4000, seed: 1 };
  const body = JSON.stringify({ model: "solverbox:math", messages, ...fields });
  const leave = new AbortController();
  const headers = { "Content-Type": "application/json" };
  const asked = { method: "POST", headers, body, signal: leave.signal };
  const reader = (await fetch("/v1/chat/completions", asked)).body.getReader();
  const first = new TextDecoder().decode((await reader.read()).value);
  leave.abort();
  const data = first.split("\n").find((line) => line.startsWith("data: "));
  return JSON.parse(data.slice("data: ".length)).solverbox.job;
});
await page.evaluate(`(() => {\n${follow}\nglobalThis.follow = follow;\n})()`);
await page.evaluate((job) => {
  globalThis.seen = { text: "", opens: 0, kinds: [] };
  const show = (text) => (seen.text = text);
  const source = globalThis.follow(job, show, (kind) => (seen.ended = kind));
  source.addEventListener("open", () => (seen.opens += 1));
  source.addEventListener("rewind", () => seen.kinds.push("rewind"));
}, job);
await page.waitForFunction(() => seen.text.length > 200);
const early = await page.evaluate(() => seen.ended ?? null);
console.log("reading");
await once(process.stdin, "data");
await page.waitForFunction(() => seen.ended);
const seen = await page.evaluate(() => seen);
const kept = await page.evaluate(async (job) => (await fetch(`/api/jobs/${job}`)).json(), job);
console.log(JSON.stringify({ ...seen, early, places, kept }));
await browser.close();
process.exit();
