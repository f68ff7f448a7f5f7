// Which keys ask, and where arrows go.

import assert from "node:assert/strict";
import { test } from "node:test";
import { asks, moved, undoes } from "../src/views/ask/keys.ts";

const enter = {
  key: "Enter", keyCode: 13, isComposing: false, shiftKey: false, ctrlKey: false, metaKey: false,
  altKey: false, timeStamp: 10_000,
};
const mouse = { isTouch: false, composedAt: -Infinity };
const touch = { isTouch: true, composedAt: -Infinity };

test("Enter asks, Shift+Enter starts a line", () => {
  assert.equal(asks(enter, "question", mouse), true);
  assert.equal(asks({ ...enter, shiftKey: true }, "question", mouse), false);
  assert.equal(asks({ ...enter, altKey: true }, "question", mouse), false);
  assert.equal(asks({ ...enter, key: "a" }, "question", mouse), false);
});

test("Enter starts a line on a touch screen and in the pupil's work", () => {
  assert.equal(asks(enter, "question", touch), false);
  assert.equal(asks(enter, "work", mouse), false);
});

test("Ctrl or Command with Enter asks everywhere", () => {
  for (const where of ["question", "work"] as const) {
    for (const hands of [mouse, touch]) {
      assert.equal(asks({ ...enter, ctrlKey: true }, where, hands), true);
      assert.equal(asks({ ...enter, metaKey: true }, where, hands), true);
    }
  }
});

test("an Enter that belongs to an input method does not ask", () => {
  assert.equal(asks({ ...enter, isComposing: true }, "question", mouse), false);
  assert.equal(asks({ ...enter, isComposing: true, ctrlKey: true }, "question", mouse), false);
  // Safari: compositionend first, then this keydown.
  assert.equal(asks({ ...enter, keyCode: 229 }, "question", mouse), false);
  const ended = { isTouch: false, composedAt: 9_990 };
  assert.equal(asks(enter, "question", ended), false);
  assert.equal(asks({ ...enter, timeStamp: 10_500 }, "question", ended), true);
});

test("Ctrl+Z takes back, Ctrl+Shift+Z does not", () => {
  assert.equal(undoes({ ...enter, key: "z", ctrlKey: true }), true);
  assert.equal(undoes({ ...enter, key: "Z", metaKey: true }), true);
  assert.equal(undoes({ ...enter, key: "z", ctrlKey: true, shiftKey: true }), false);
  assert.equal(undoes({ ...enter, key: "z" }), false);
});

test("arrows go round, Home and End to the ends, other keys nowhere", () => {
  assert.equal(moved("ArrowRight", 2, 3), 0);
  assert.equal(moved("ArrowLeft", 0, 3), 2);
  assert.equal(moved("ArrowDown", 0, 3), 1);
  assert.equal(moved("Home", 2, 3), 0);
  assert.equal(moved("End", 0, 3), 2);
  assert.equal(moved("Tab", 0, 3), null);
});
