// Takes the picture at the top of the README: the page of a running box, with an answered question.
// build/picture.sh calls it with the box's address, the browser and the file to write.

import { chromium } from "playwright-core";

const [box, executablePath, file] = process.argv.slice(2);
const QUESTION = "What is 348 + 577?";
const RIGHT = "925";

const browser = await chromium.launch({ executablePath });
// Twice the pixels, so that the text is sharp on dense screens.
const view = { viewport: { width: 800, height: 600 }, deviceScaleFactor: 2, colorScheme: "light" };
const page = await browser.newPage(view);
page.setDefaultTimeout(60_000);
await page.goto(box);
await page.waitForFunction(() => document.querySelectorAll("#mode option").length > 1);
await page.fill("#question", QUESTION);
await page.selectOption("#attempts", "4");
await page.click("#ask");
await page.waitForFunction(() => document.querySelector("#more").checkVisibility());
const answer = await page.textContent("#boxed");
if (!answer.includes(RIGHT)) throw new Error(`the answer is '${answer}', not ${RIGHT}: run this again`);
await page.evaluate(() => {
  document.querySelector("#thinking").open = true;
  document.activeElement.blur();
  scrollTo(0, 0);
});
await page.screenshot({ path: file, fullPage: true });
await browser.close();
