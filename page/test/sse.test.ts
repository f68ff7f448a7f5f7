// Server-sent events are read the same wherever their bytes are cut.

import assert from "node:assert/strict";
import { test } from "node:test";
import { EventParser, type ServerEvent, readEvents } from "../src/api/sse.ts";

const encoder = new TextEncoder();

/** Feeds a text cut after every `step` bytes. */
function parse(text: string, step = Infinity) {
  const parser = new EventParser();
  const bytes = encoder.encode(text);
  const events: ServerEvent[] = [];
  for (let at = 0; at < bytes.length; at += step) {
    events.push(...parser.feed(bytes.subarray(at, at + step)));
  }
  return { events, parser };
}

const STREAM = "retry: 2000\nevent: thinking\nid: 7\ndata: {\"text\":\"8×8=64 😀\"}\n\n"
  + ": alive\n\nevent: done\nid: 9.2\ndata: one\ndata:two\ndata:\n\n";
const EVENTS = [
  { type: "thinking", id: "7", data: "{\"text\":\"8×8=64 😀\"}" },
  { type: "done", id: "9.2", data: "one\ntwo\n" },
];

test("bytes may be cut anywhere, also inside a character", () => {
  for (let step = 1; step <= 40; step++) {
    const { events, parser } = parse(STREAM, step);
    assert.deepEqual(events, EVENTS, `cut every ${step} bytes`);
    assert.equal(parser.retryMs, 2000);
  }
});

test("lines end with LF, CR or CRLF, and a CRLF may be cut in the middle", () => {
  for (const end of ["\n", "\r", "\r\n"]) {
    for (const step of [1, 2, 3, 1000]) {
      assert.deepEqual(parse(STREAM.replaceAll("\n", end), step).events, EVENTS);
    }
  }
});

test("a CR at the end of the bytes completes its event at once", () => {
  const parser = new EventParser();
  assert.equal(parser.feed(encoder.encode("data: x\r\r")).length, 1);
  assert.deepEqual(parser.feed(encoder.encode("\ndata: y\n\n")).map(({ data }) => data), ["y"]);
});

test("an event is of type message, and has the last id, unless it names its own", () => {
  const { events } = parse("id: 5\ndata: a\n\ndata: b\n\nid\ndata: c\n\nid: 6\0\ndata: d\n\n");
  assert.deepEqual(events, [
    { type: "message", id: "5", data: "a" },
    { type: "message", id: "5", data: "b" },
    { type: "message", id: "", data: "c" },
    { type: "message", id: "", data: "d" },
  ]);
});

test("an event without data is dropped, and its type does not leak into the next", () => {
  const { events } = parse("event: vote\n\ndata: x\n\n");
  assert.deepEqual(events, [{ type: "message", id: "", data: "x" }]);
});

test("one space after the colon belongs to the syntax, other fields do not count", () => {
  const { events, parser } = parse("data:  x: y\nfoo: bar\nretry: soon\ndata\n\n");
  assert.deepEqual(events.map(({ data }) => data), [" x: y\n"]);
  assert.equal(parser.retryMs, null);
});

test("a byte order mark at the beginning is dropped, elsewhere it is text", () => {
  assert.deepEqual(parse("\uFEFFdata: a\uFEFFb\n\n", 1).events[0]?.data, "a\uFEFFb");
});

test("an event that is not whole at the end of the stream is dropped", () => {
  assert.deepEqual(parse("data: x\n").events, []);
});

test("a long line in many pieces costs its length", () => {
  const text = `data: ${"x".repeat(4_000_000)}\n\n`;
  assert.equal(parse(text, 1_000).events[0]?.data.length, 4_000_000);
});

test("a reply is read until its reader has enough", async () => {
  const arrivals: number[] = [];
  const reply = () => new Response(STREAM);
  await readEvents(reply(), (events) => arrivals.push(events.length) < 0);
  assert.equal(arrivals.reduce((a, b) => a + b), 2);
  await readEvents(reply(), () => true);
});
