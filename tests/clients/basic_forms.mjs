// The pages without script in a real browser whose JavaScript is switched off: tests/api/basic.rs runs it with the
// box's URL and the browser. It asks, waits while the page loads itself again, goes on, stops and deletes, and ends
// with what it saw, as JSON. With a folder as third argument it leaves pictures there.

import { chromium } from "playwright-core";

const [box, executablePath, pictures] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath, args: ["--disable-background-networking"] });
const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 1024, height: 600 } });
const page = await context.newPage();
page.setDefaultTimeout(120_000);
const seen = { origins: [], complaints: [], loads: 0 };
page.on("console", (message) => seen.complaints.push(message.text()));
page.on("requestfailed", (request) => seen.complaints.push(`${request.url()} failed`));
page.on("request", async (request) => {
  if (request.method() === "POST") seen.origins.push((await request.allHeaders()).origin ?? null);
});
page.on("load", () => (seen.loads += 1));
const shown = (selector) => page.locator(selector).innerText();
const picture = async (name) => pictures && page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });

await page.goto(`${box}/basic`);
await page.fill("#question", "What is 348 + 577?");
await page.selectOption("#attempts", "4");
await picture("ask");
await page.click("input[value=Ask]");
await page.waitForSelector("p.value");
seen.value = await shown("p.value");
seen.votes = await shown("p.votes");
seen.address = new URL(page.url()).pathname;
await picture("answer");
await page.fill("#question", "What is 12 + 30?");
await page.click("input[value='Go on']");
await page.waitForSelector("p.value");
seen.next = await shown("p.value");
await page.click("summary >> text=Before");
seen.earlier = await shown("details[open]");

// A question that would go on for minutes, asked by this browser.
const fields = { question: "What is 98765 * 87654?", mode: "plain", ignore_eos: true, budget_tokens: 30000 };
const { id } = await (await context.request.post(`${box}/api/jobs`, { data: fields })).json();
await page.goto(`${box}/basic/jobs/${id}?thinking=open`);
const loads = seen.loads;
await page.waitForEvent("load");
seen.refreshes = seen.loads - loads;
seen.unfolded = await page.locator("details[open]").count();
await picture("waiting");
await page.click("input[value=Stop]");
await page.waitForSelector("p.state >> text=stopped");
await page.click("summary >> text=Delete");
await page.click("input[value*=good]");
await page.waitForSelector("h2");
seen.list = await page.locator("li").allInnerTexts();
await picture("list");
console.log(JSON.stringify(seen));
await browser.close();
