// The texts of a job's attempts, byte for byte, through rewinds and whole reads.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Job } from "../src/api/shapes.ts";
import { JobLog, type Part, offsetOf, startOf, utf8Length } from "../src/jobs/log.ts";

const bytes = (text: string) => Buffer.byteLength(text);

/** Appends pieces, each at the position where it belongs. */
function write(log: JobLog, ...pieces: [attempt: number, part: Part, text: string][]) {
  for (const [attempt, part, text] of pieces) {
    assert.ok(log.append(attempt, part, text, String(log.offset + bytes(text))));
  }
}

function job(change: Partial<Job>): Job {
  return {
    id: "j", state: "running", mode: "math", question: "?", attempt_of_student: null,
    previous: null, asked_at: 0, ended_at: null, attempts_wanted: 1, budget_tokens: 1, offset: "0",
    place: 0, eta: null, thinking: "", answer: "", best_attempt: 0, attempts_ended: 0,
    attempt_results: [], votes: null, value: null, ...change,
  };
}

test("lengths are those of UTF-8", () => {
  for (const text of ["", "a", "é", "√", "😀", "a√😀é\0", "\uFFFF\uE000", "证明"]) {
    assert.equal(utf8Length(text), bytes(text), text);
  }
});

test("positions count bytes and restarts", () => {
  assert.deepEqual([offsetOf("1234"), startOf("1234")], [1234, 0]);
  assert.deepEqual([offsetOf("1234.12"), startOf("1234.12")], [1234, 12]);
});

test("each attempt has its own texts", () => {
  const log = new JobLog();
  write(log, [0, "thinking", "a√"], [1, "thinking", "b"], [0, "thinking", "c"], [1, "answer", "d"]);
  assert.equal(log.text(0, "thinking"), "a√c");
  assert.equal(log.text(1, "thinking"), "b");
  assert.equal(log.text(1, "answer"), "d");
  assert.equal(log.text(7, "answer"), "");
  assert.equal(log.position, "7");
  assert.ok(log.isWhole && log.holds(15));
});

test("text that does not continue the log is refused, and changes nothing", () => {
  const log = new JobLog();
  write(log, [0, "thinking", "abc"]);
  for (const position of ["3", "5", "2", ""]) {
    assert.equal(log.append(0, "thinking", "d", position), false, position);
  }
  assert.deepEqual([log.text(0, "thinking"), log.position], ["abc", "3"]);
  assert.ok(log.append(0, "thinking", "d", "4.1"));
  assert.equal(log.position, "4.1");
});

test("a rewind drops text at the edge of a piece, inside one, and over several attempts", () => {
  const pieces: [number, Part, string][] = [
    [0, "thinking", "ab"], [1, "thinking", "cd"], [0, "thinking", "ef"], [1, "answer", "gh"],
  ];
  for (let to = 0; to <= 8; to++) {
    const log = new JobLog();
    write(log, ...pieces);
    assert.ok(log.rewind(to, `${to}.1`));
    const expected = new JobLog();
    let left = to;
    for (const [attempt, part, text] of pieces) {
      const kept = text.slice(0, Math.max(0, left));
      left -= text.length;
      if (kept) write(expected, [attempt, part, kept]);
    }
    for (const attempt of [0, 1]) {
      for (const part of ["thinking", "answer"] as const) {
        assert.equal(log.text(attempt, part), expected.text(attempt, part), `to ${to}`);
      }
    }
    assert.deepEqual([log.offset, log.position], [to, `${to}.1`]);
    // It goes on from there.
    assert.ok(log.append(3, "answer", "x", `${to + 1}.1`));
  }
});

test("a rewind inside a character drops it, and asks for a new read", () => {
  for (const [text, to, left] of [["a√", 2, "a"], ["a😀", 3, "a"], ["é", 1, ""]] as const) {
    const log = new JobLog();
    write(log, [0, "answer", text]);
    assert.equal(log.rewind(to, `${to}.1`), false);
    assert.equal(log.text(0, "answer"), left);
    assert.equal(log.offset, bytes(left));
  }
});

test("any log with any rewinds equals its bytes", () => {
  // A generator of fixed numbers, so that a failure can be repeated.
  let state = 12345;
  const random = (below: number) => (state = (state * 48271) % 2147483647) % below;
  const alphabet = ["a", "\n", "é", "√", "😀", "解"];
  for (let round = 0; round < 200; round++) {
    const log = new JobLog();
    let all: { lane: string; text: string }[] = [];
    for (let step = 0; step < 60; step++) {
      if (random(10) === 0) {
        const whole = all.map(({ text }) => text).join("");
        const kept = [...whole].slice(0, random([...whole].length + 1)).join("");
        assert.ok(log.rewind(bytes(kept), String(bytes(kept))));
        let left = kept.length;
        all = all.map(({ lane, text }) => {
          const part = text.slice(0, Math.max(0, left));
          left -= text.length;
          return { lane, text: part };
        });
        continue;
      }
      const [attempt, part] = [random(3), random(2) === 0 ? "thinking" : "answer"] as const;
      const text = Array.from({ length: 1 + random(5) }, () => alphabet[random(6)]).join("");
      write(log, [attempt, part, text]);
      all.push({ lane: `${attempt} ${part}`, text });
      if (random(4) === 0) log.text(attempt, part);
    }
    for (const lane of new Set(all.map((piece) => piece.lane))) {
      const expected = all.filter((piece) => piece.lane === lane).map(({ text }) => text).join("");
      const [attempt, part] = lane.split(" ");
      assert.equal(log.text(Number(attempt), part as Part), expected);
    }
  }
});

test("a single attempt that was read as a whole is exact from its first byte", () => {
  const log = JobLog.of(job({ thinking: " a√", answer: "b", offset: "6.2" }));
  assert.ok(log.isWhole);
  assert.ok(log.rewind(5, "5.3"));
  assert.deepEqual([log.text(0, "thinking"), log.text(0, "answer")], [" a√", ""]);
  assert.ok(log.rewind(1, "1.4"));
  assert.equal(log.text(0, "thinking"), " ");
});

test("one of several attempts that was read as a whole is exact from there on", () => {
  const begun = job({ attempts_wanted: 4, best_attempt: 2, thinking: "abc", offset: "90" });
  const log = JobLog.of(begun);
  assert.ok(!log.isWhole && log.holds(2) && !log.holds(0));
  assert.ok(log.append(2, "thinking", "de", "92"));
  assert.ok(log.append(0, "thinking", "f", "93"));
  assert.ok(log.rewind(91, "91.1"));
  assert.deepEqual([log.text(2, "thinking"), log.text(0, "thinking")], ["abcd", ""]);
  assert.equal(log.rewind(89, "89.1"), false);
  // All of it is known to be nothing.
  assert.ok(log.rewind(0, "0.2") && log.isWhole);
  assert.equal(log.text(2, "thinking"), "");
});

test("texts that a closing box has trimmed are read again from the beginning", () => {
  const log = JobLog.of(job({ thinking: "abc", offset: "5" }));
  assert.deepEqual([log.position, log.text(0, "thinking"), log.isWhole], ["0", "", true]);
  const ended = JobLog.of(job({ state: "done", thinking: "abc", answer: "d", offset: "6" }));
  assert.deepEqual([ended.position, ended.text(0, "answer")], ["6", "d"]);
});

test("30,000 tokens of 8 attempts stay small, and reading them is cheap", () => {
  const log = new JobLog();
  const before = process.memoryUsage();
  for (let token = 0; token < 30_000; token++) {
    for (let attempt = 0; attempt < 8; attempt++) {
      write(log, [attempt, "thinking", ` t${token % 97}`]);
    }
    if (token % 30 === 0) log.text(0, "thinking").charCodeAt(5);
  }
  assert.equal(log.text(7, "thinking").length, log.text(0, "thinking").length);
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  const grown = heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers;
  // Bytes of text and spans; garbage may not be collected yet, so the bar is wide.
  assert.ok(grown < 64 * 1024 * 1024, `${grown} bytes`);
});
