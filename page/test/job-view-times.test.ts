// Times of the job view: durations, expectations, shares, and the icon that shows a share.

import assert from "node:assert/strict";
import { test } from "node:test";
import { believed } from "../src/views/job/clock.ts";
import { expectationOf, minutesLeft, shareOf, spanOf } from "../src/views/job/durations.ts";
import { iconAddress } from "../src/views/job/icon.ts";
import { canAnswerNow, phaseOf } from "../src/views/job/phase.ts";

test("a short time is told in seconds, a long one in minutes, a very long one in hours", () => {
  assert.deepEqual(spanOf(99), { hours: 0, minutes: 0, seconds: 99 });
  assert.deepEqual(spanOf(100), { hours: 0, minutes: 1, seconds: 40 });
  assert.deepEqual(spanOf(3599), { hours: 0, minutes: 59, seconds: 59 });
  assert.deepEqual(spanOf(3600 + 125), { hours: 1, minutes: 2, seconds: 0 });
  assert.deepEqual(spanOf(-3), { hours: 0, minutes: 0, seconds: 0 });
});

const about = (unit: string, middle: number, from: number, to: number) =>
  ({ kind: "about", unit, about: middle, from, to });

test("an expectation is told in the unit of its upper bound", () => {
  const eta = { seconds: 240, low: 120, high: 540 };
  assert.deepEqual(expectationOf(eta, 0), about("minute", 4, 2, 9));
  const soon = expectationOf({ seconds: 24, low: 12, high: 41 }, 0);
  assert.deepEqual(soon, about("second", 20, 10, 40));
  const late = expectationOf({ seconds: 7200, low: 3600, high: 14_400 }, 0);
  assert.deepEqual(late, about("hour", 2, 1, 4));
});

test("above twenty minutes an expectation goes in steps of five", () => {
  const eta = { seconds: 1000, low: 420, high: 2100 };
  assert.deepEqual(expectationOf(eta, 0), about("minute", 15, 5, 35));
});

test("an expectation counts down, then has only an upper bound, then is overdue", () => {
  const eta = { seconds: 240, low: 120, high: 540 };
  assert.deepEqual(expectationOf(eta, 60), about("minute", 3, 1, 8));
  assert.deepEqual(expectationOf(eta, 240), { kind: "within", unit: "minute", most: 5 });
  assert.deepEqual(expectationOf(eta, 535), { kind: "within", unit: "second", most: 10 });
  assert.deepEqual(expectationOf(eta, 540), { kind: "overdue" });
});

test("minutes left are at least one until the upper bound has passed", () => {
  const eta = { seconds: 200, low: 100, high: 400 };
  assert.equal(minutesLeft(eta, 0), 3);
  assert.equal(minutesLeft(eta, 300), 1);
  assert.equal(minutesLeft(eta, 400), null);
});

test("the share of the expected time never reaches one", () => {
  assert.equal(shareOf(30, { seconds: 60 }, 0), 1 / 3);
  assert.equal(shareOf(30, { seconds: 60 }, 30), 0.5);
  assert.equal(shareOf(300, { seconds: 60 }, 200), 0.97);
  assert.equal(shareOf(300, null, 0), 0);
});

test("icons are data addresses, the same for shares that look the same", () => {
  const half = iconAddress({ kind: "progress", share: 0.5 });
  assert.match(half, /^data:image\/svg\+xml,%3Csvg/);
  assert.equal(half, iconAddress({ kind: "progress", share: 0.51 }));
  const ends = (["done", "stopped", "failed"] as const).map((kind) => iconAddress({ kind }));
  assert.equal(new Set([half, ...ends]).size, 4);
});

test("the box's time is believed only where it is plausible", () => {
  const now = 1_000_000_000_000;
  assert.equal(believed(999_999_900, now), 999_999_900_000);
  assert.equal(believed(1_000_000_900, now), now);
  assert.equal(believed(3, now), now);
  assert.equal(believed(null, now), now);
});

test("phases follow the texts and the ended attempts", () => {
  const texts = { hasThinking: false, hasAnswer: false };
  const running = { state: "running", isUnfollowed: false, ...texts } as const;
  const one = { attemptsWanted: 1, attemptsEnded: 0 };
  assert.equal(phaseOf({ ...running, ...one }), "reading");
  assert.equal(phaseOf({ ...running, ...one, hasThinking: true }), "thinking");
  assert.equal(phaseOf({ ...running, ...one, hasThinking: true, hasAnswer: true }), "answering");
  const voting = { ...running, attemptsWanted: 4, attemptsEnded: 1, hasAnswer: true };
  assert.equal(phaseOf(voting), "others");
  assert.equal(phaseOf({ ...voting, state: "failed" }), "failed");
  // What has ended is whole; what has not is lost with its connection.
  assert.equal(phaseOf({ ...voting, isUnfollowed: true }), "lost");
  assert.equal(phaseOf({ ...voting, isUnfollowed: true, state: "done" }), "done");
});

test("answer now is offered while thinking, after half a minute of it", () => {
  assert.equal(canAnswerNow("thinking", 29), false);
  assert.equal(canAnswerNow("thinking", 30), true);
  assert.equal(canAnswerNow("others", 30), true);
  assert.equal(canAnswerNow("answering", 300), false);
  assert.equal(canAnswerNow("queued", 300), false);
});
