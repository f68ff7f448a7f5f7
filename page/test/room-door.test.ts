import assert from "node:assert/strict";
import { test } from "node:test";
import { bigPath, doorOf } from "../src/door.ts";

const door = (address: string) => doorOf(new URL(address, "http://box.local:7860"));

test("an address without anything opens the page, whatever its hash", () => {
  const addresses = ["/", "/#", "/#job/6a03", "/?x=1", "/ownership", "/#shared/", "/?shared="];
  for (const address of addresses) {
    assert.deepEqual(door(address), { name: "page" }, address);
  }
});

test("the owner's view has a path of its own", () => {
  for (const address of ["/owner", "/owner/", "/owner?kiosk=3"]) {
    assert.deepEqual(door(address), { name: "owner" }, address);
  }
});

test("a shared question is named by a token, in the hash or in the query", () => {
  assert.deepEqual(door("/#shared/4f"), { name: "shared", token: "4f", isBig: false });
  assert.deepEqual(door("/?shared=4f"), { name: "shared", token: "4f", isBig: false });
  assert.deepEqual(door("/?big#shared/4f"), { name: "shared", token: "4f", isBig: true });
  assert.deepEqual(door("/?shared=4f&big"), { name: "shared", token: "4f", isBig: true });
});

test("the large form of a path opens the same question", () => {
  for (const path of ["/#shared/4f", "/?shared=4f"]) {
    assert.deepEqual(door(bigPath(path)), { name: "shared", token: "4f", isBig: true }, path);
  }
});

test("a kiosk waits for the minutes it is given, from 1 to 60, else for 3", () => {
  const cases = [["5", 5], ["0", 1], ["600", 60], ["", 3], ["-1", 3], ["soon", 3], ["1.5", 3]];
  for (const [text, minutes] of cases) {
    assert.deepEqual(door(`/?kiosk=${text}`), { name: "kiosk", minutes }, String(text));
  }
  assert.deepEqual(door("/?kiosk"), { name: "kiosk", minutes: 3 });
});
