import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "uqr";
import { isLoopbackHost, linkAt, reachable } from "../src/views/room/share/addresses.ts";
import { QUIET_ZONE, pathOf } from "../src/views/room/share/qr-path.ts";

const urls = (named: string[], own: string) => reachable(named, own).map(({ url }) => url);

test("numbers come before names, and .local comes last", () => {
  const named = ["http://box.local", "http://[fd00::7]", "http://10.0.0.7", "http://math.school"];
  assert.deepEqual(urls(named, "http://127.0.0.1:7860"), [
    "http://10.0.0.7", "http://[fd00::7]", "http://math.school", "http://box.local",
  ]);
});

test("the box's order holds among numbers, after the one that this page came from", () => {
  const named = ["http://10.0.0.2:7860", "http://10.42.0.1:7860", "http://192.168.1.7:7860"];
  assert.deepEqual(urls(named, "http://localhost:7860"), named);
  assert.deepEqual(urls(named, "http://192.168.1.7:7860")[0], "http://192.168.1.7:7860");
  assert.equal(urls(named, "http://192.168.1.7:7860").length, 3);
});

test("loopback and what cannot be parsed are not addresses for others", () => {
  const named = [
    "http://127.0.0.1:7860", "http://[::1]:7860", "http://localhost:7860", "http://0.0.0.0:7860",
    "", "file:///x", "http://",
  ];
  assert.deepEqual(urls(named, "http://127.0.0.1:7860"), []);
  const [own, others] = [["localhost", "a.localhost", "127.1.2.3"], ["192.168.1.7", "box.local"]];
  assert.deepEqual(own.map(isLoopbackHost), [true, true, true]);
  assert.deepEqual(others.map(isLoopbackHost), [false, false]);
});

test("an address without a scheme or with a path is completed", () => {
  assert.deepEqual(urls(["192.168.1.7:7860", "http://192.168.1.8/"], "http://127.0.0.1"), [
    "http://192.168.1.7:7860", "http://192.168.1.8",
  ]);
});

test("a box behind a proxy is reached where the page came from", () => {
  const own = "https://math.school";
  assert.deepEqual(reachable([], own), [{ url: own, kind: "name" }]);
});

test("a link joins an address and a path", () => {
  const address = { url: "http://192.168.1.7:7860", kind: "number" } as const;
  assert.equal(linkAt(address, "/#shared/4f"), "http://192.168.1.7:7860/#shared/4f");
  assert.equal(linkAt(address, "?shared=4f"), "http://192.168.1.7:7860/?shared=4f");
});

/** Draws the rectangles of a path back into modules. */
function drawn(path: string, size: number): boolean[][] {
  const modules = Array.from({ length: size }, () => Array<boolean>(size).fill(false));
  for (const [, x, y, width] of path.matchAll(/M(\d+) (\d+)h(\d+)v1h-\3z/g)) {
    for (let at = 0; at < Number(width); at++) {
      const row = modules[Number(y) - QUIET_ZONE];
      if (row) row[Number(x) - QUIET_ZONE + at] = true;
    }
  }
  return modules;
}

test("a code's path has exactly its dark modules, within a quiet zone of four", () => {
  const link = "http://192.168.1.7:7860/#shared/0123456789abcdef";
  const { data, size } = encode(link, { ecc: "M", border: 0 });
  assert.equal(QUIET_ZONE, 4);
  assert.equal(data.length, size);
  assert.deepEqual(drawn(pathOf(data), size), data);
});
