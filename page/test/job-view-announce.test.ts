// What a screen reader is told over a long job: a few single messages, and one a minute.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Announcement, Announcer, type Moment } from "../src/views/job/announce.ts";

const waiting: Moment = {
  atMs: 0, phase: "queued", place: 3, minutes: 4, isOverdue: false, isCutOff: false,
};

/** Feeds moments to one announcer and returns what it said. */
function said(moments: Partial<Moment>[]): Announcement[] {
  const announcer = new Announcer();
  let now = waiting;
  const all = moments.map((change) => announcer.next((now = { ...now, ...change })));
  return all.filter((one) => one !== null);
}

test("asked, place, thinking, estimate and end are said", () => {
  const kinds = said([
    {},
    { atMs: 30_000, place: 2 },
    { atMs: 61_000 },
    { atMs: 70_000, phase: "reading", place: 0 },
    { atMs: 75_000, phase: "thinking" },
    { atMs: 125_000, minutes: 2 },
    { atMs: 170_000, phase: "answering" },
    { atMs: 180_000, phase: "done" },
  ]);
  assert.deepEqual(kinds, [
    { kind: "asked", place: 3, minutes: 4 },
    { kind: "place", place: 2, minutes: 4 },
    { kind: "thinking" },
    { kind: "minutes", minutes: 2 },
    { kind: "answering" },
    { kind: "over" },
  ]);
});

test("a job that cannot be followed any more is said once, and then nothing more", () => {
  const kinds = said([{}, { phase: "lost" }, { atMs: 70_000, phase: "lost", place: 1 }]);
  assert.deepEqual(kinds, [{ kind: "asked", place: 3, minutes: 4 }, { kind: "over" }]);
});

test("a job that was over when it was opened says nothing", () => {
  assert.deepEqual(said([{ phase: "done" }, { atMs: 90_000 }]), []);
});

test("a place that changes every second is said once a minute", () => {
  const seconds = Array.from({ length: 240 }, (_, i) => ({ atMs: i * 1000, place: 300 - i }));
  assert.equal(said(seconds).length, 4);
});

test("an hour of a bad connection has at most 11 messages and one a minute", () => {
  const seconds = Array.from({ length: 3600 }, (_, i): Partial<Moment> => ({
    atMs: i * 1000, phase: i < 60 ? "queued" : "thinking", place: i < 60 ? 2 : 0,
    minutes: i < 3000 ? 60 - Math.floor(i / 60) : null, isOverdue: i >= 3000,
    isCutOff: i % 7 === 0,
  }));
  const all = said([...seconds, { atMs: 3_600_000, phase: "done", isCutOff: false }]);
  const single = all.filter(({ kind }) => kind !== "minutes" && kind !== "place");
  assert.ok(single.length <= 11, `${single.length} single messages`);
  assert.ok(all.length - single.length <= 60, `${all.length - single.length} regular ones`);
  assert.equal(all[all.length - 1]?.kind, "over");
});

test("cut off and back are both said", () => {
  const kinds = said([{}, { atMs: 1000, isCutOff: true }, { atMs: 9000, isCutOff: false }]);
  assert.deepEqual(kinds.map(({ kind }) => kind), ["asked", "cutOff", "back"]);
});

test("overdue is said once", () => {
  const late = { minutes: null, isOverdue: true };
  const kinds = said([{}, { atMs: 1000, ...late }, { atMs: 90_000, isOverdue: false },
    { atMs: 91_000, isOverdue: true }]);
  assert.deepEqual(kinds.map(({ kind }) => kind), ["asked", "overdue"]);
});
