import assert from "node:assert/strict";
import { test } from "node:test";
import { type KeyPress, revealedBy } from "../src/views/room/projector/reveal.ts";

const press = (key: string, more: Partial<KeyPress> = {}): KeyPress => ({
  key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more,
});
const after = (key: string, count: number, all: number, more: Partial<KeyPress> = {}) =>
  revealedBy(press(key, more), { count, all });

test("the keys of keyboards and presenters show the next block", () => {
  for (const key of ["ArrowRight", "PageDown", " "]) {
    assert.equal(after(key, 0, 3), 1, key);
    assert.equal(after(key, 3, 3), 3, key);
  }
});

test("the keys back hide the last block that is seen", () => {
  for (const key of ["ArrowLeft", "PageUp"]) {
    assert.equal(after(key, 2, 3), 1, key);
    assert.equal(after(key, 0, 3), 0, key);
    // Another attempt leads the vote now, and its answer is shorter.
    assert.equal(after(key, 7, 3), 2, key);
  }
  assert.equal(after(" ", 2, 3, { shiftKey: true }), 1);
});

test("Home and End hide and show all", () => {
  assert.equal(after("End", 1, 9), 9);
  assert.equal(after("Home", 5, 9), 0);
});

test("all other keys are the browser's", () => {
  for (const key of ["ArrowDown", "Enter", "Tab", "a", "F5"]) {
    assert.equal(after(key, 1, 3), null, key);
  }
  assert.equal(after("ArrowLeft", 1, 3, { altKey: true }), null);
  assert.equal(after("ArrowRight", 1, 3, { ctrlKey: true }), null);
});
