// axe-core on a page as it stands: WCAG 2.2 A and AA and axe's best practices. The script is given
// by the test over the browser's own connection, so the page's policy stays as it is.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(import.meta.dirname, "../../target/node/"));
const SOURCE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** What axe does not know: the text of MathML, so a header with a formula alone seems empty. */
const RULES = { "empty-table-header": { enabled: false } };

/** Returns what axe finds wrong on a page, a line for each element. */
export async function violations(page) {
  await page.evaluate(SOURCE);
  const options = { runOnly: TAGS, rules: RULES, resultTypes: ["violations"] };
  const found = await page.evaluate((options) => globalThis.axe.run(options), options);
  return found.violations.flatMap(({ id, help, nodes }) =>
    nodes.map((node) => {
      const reasons = node.failureSummary
        .split("\n")
        .slice(1)
        .map((line) => line.trim());
      return `${id}: ${help}: ${node.html.slice(0, 200)}: ${reasons.join("; ")}`;
    }),
  );
}
