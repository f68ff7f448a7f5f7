import assert from "node:assert/strict";
import { test } from "node:test";
import type { UsageEntry } from "../src/api/owner.ts";
import { clientName } from "../src/views/room/owner/client-name.ts";
import { limitOf, shownLimit } from "../src/views/room/owner/limit-field.ts";
import { busiestDay, modesOf, rowsOf, stackOf } from "../src/views/room/owner/usage-data.ts";

const HOUR = 3_600;
const entry = (hour: number, mode: string, jobs: number): UsageEntry =>
  ({ at: hour * HOUR, mode, jobs });
const ENTRIES = [
  entry(100, "math", 2), entry(100, "hint", 1), entry(101, "math", 3), entry(90, "code", 4),
];

test("modes are listed by how much they are used", () => {
  assert.deepEqual(modesOf(ENTRIES), ["math", "code", "hint"]);
  assert.deepEqual(modesOf([]), []);
});

test("the table has a row for each hour in which questions ended, the latest first", () => {
  const rows = rowsOf([...ENTRIES, entry(95, "math", 0)], modesOf(ENTRIES));
  assert.deepEqual(rows, [
    { hour: 101 * HOUR, counts: [3, 0, 0], total: 3 },
    { hour: 100 * HOUR, counts: [2, 0, 1], total: 3 },
    { hour: 90 * HOUR, counts: [0, 4, 0], total: 4 },
  ]);
});

test("the chart has each hour of its days, with the modes on top of each other", () => {
  const { hours, tops } = stackOf(ENTRIES, ["math", "code", "hint"], 1, 102.5 * HOUR);
  assert.equal(hours.length, 24);
  assert.equal(hours[23], 102 * HOUR);
  const at = (hour: number) => tops.map((top) => top[hours.indexOf(hour * HOUR)]);
  assert.deepEqual(at(100), [2, 2, 3]);
  assert.deepEqual(at(101), [3, 3, 3]);
  assert.deepEqual(at(90), [0, 4, 4]);
  assert.deepEqual(at(102), [0, 0, 0]);
});

test("the chart ends with the last question where the clocks do not agree", () => {
  for (const now of [5 * HOUR, 1_000_000 * HOUR]) {
    const { hours } = stackOf(ENTRIES, ["math"], 14, now);
    assert.equal(hours[hours.length - 1], 101 * HOUR, String(now));
  }
});

test("the busiest day sums its hours", () => {
  const day = (seconds: number) => String(Math.floor(seconds / HOUR / 24));
  assert.deepEqual(busiestDay(ENTRIES, day), { at: 100 * HOUR, jobs: 6 });
  assert.equal(busiestDay([], day), null);
});

test("a client is named by its digits", () => {
  const names = ["Client(5dfdfe…)", "5dfdfe", "lab"].map(clientName);
  assert.deepEqual(names, ["5dfdfe", "5dfdfe", "lab"]);
});

test("a limit is a whole number from 1 to 1024, and an empty field changes nothing", () => {
  assert.deepEqual(["1", " 32 ", "1024"].map(limitOf), [1, 32, 1_024]);
  for (const text of ["0", "1025", "-1", "1.5", "1e2", "x", "9999999"]) {
    assert.equal(limitOf(text), "wrong", text);
  }
  assert.equal(limitOf("  "), "empty");
});

test("a limit that is none stands as an empty field", () => {
  assert.equal(shownLimit(16), "16");
  assert.equal(shownLimit(null), "");
  assert.equal(shownLimit(2 ** 64), "");
});
