// Boxed values: found as the box finds them, and taken out where they would give a solution away.

import assert from "node:assert/strict";
import { test } from "node:test";
import { boxedValue, withoutBoxes } from "../src/text/value.ts";

test("the last complete box counts", () => {
  assert.equal(boxedValue(String.raw`\boxed{1} then \boxed{ \frac{1}{2} } and \boxed{3`),
    String.raw`\frac{1}{2}`);
  assert.equal(boxedValue(String.raw`\fbox {7}`), "7");
  assert.equal(boxedValue(String.raw`\boxed{a \boxed{b}}`), "b");
  assert.equal(boxedValue(String.raw`\boxed{\{1\}}`), String.raw`\{1\}`);
  assert.equal(boxedValue(String.raw`{ \boxed{4}`), "4");
  assert.equal(boxedValue("none"), "");
});

test("boxes are hidden, whole or not", () => {
  const hidden = String.raw`\boxed{\ldots}`;
  assert.equal(withoutBoxes(String.raw`so $\boxed{5}$.`), `so $${hidden}$.`);
  assert.equal(withoutBoxes(String.raw`so $\boxed{5`), `so $${hidden}`);
  assert.equal(withoutBoxes(String.raw`so \boxed`), `so ${hidden}`);
  assert.equal(withoutBoxes(String.raw`\boxed{a \boxed{b}} c`), `${hidden} c`);
  assert.equal(withoutBoxes(String.raw`\boxed5 and \boxed \frac{\sqrt{2}}{2} c`),
    `${hidden} and ${hidden} c`);
  assert.equal(withoutBoxes("\\boxed{1\n\nnext"), `${hidden}\n\nnext`);
  assert.equal(withoutBoxes("plain {x}"), "plain {x}");
});

test("no prefix of a growing text shows a boxed value", () => {
  const text = String.raw`So $\boxed{987}$, \fbox{987}, \boxed987 or \boxed{\frac{987}{1}}.`;
  for (let length = 0; length <= text.length; length++) {
    assert.ok(!/9|\\frac/.test(withoutBoxes(text.slice(0, length)).replace(/\d{2}$/, "")),
      withoutBoxes(text.slice(0, length)));
  }
});
