// Takes pictures of 12 states of the page at three sizes into target/page/screenshots: a kiosk, a
// phone, a projector. For people to look at; nothing compares them.
//
//   target/venv/bin/node tests/page/screenshots.mjs

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { check, ROOT, run } from "./harness.mjs";
import { STATES } from "./states.mjs";

const FOLDER = join(ROOT, "target/page/screenshots");
const SIZES = [
  { width: 1024, height: 600 },
  { width: 390, height: 844 },
  { width: 1920, height: 1080 },
];
const SETTLE_MS = 400;

mkdirSync(FOLDER, { recursive: true });

for (const size of SIZES) {
  check(`pictures at ${size.width}×${size.height}`, async (t) => {
    t.allow(/console: Failed to load resource/);
    for (const [name, reach] of Object.entries(STATES)) {
      const server = await t.replayer();
      const page = await t.open(server, { viewport: size, colorScheme: "light" });
      await reach(page, server);
      await page.waitForTimeout(SETTLE_MS);
      await page.screenshot({ path: join(FOLDER, `${name}-${size.width}.png`) });
      await page.context().close();
    }
  });
}

await run();
