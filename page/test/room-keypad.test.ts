import assert from "node:assert/strict";
import { test } from "node:test";
import { SYMBOLS } from "../src/views/ask/symbols.ts";
import { after, before } from "../src/views/room/kiosk/caret.ts";
import { type Key, type Layer, movedTo, repeats, rowsOf } from "../src/views/room/kiosk/keys.ts";

const LAYERS: Layer[] = ["letters", "mathematics", "signs"];
const keysOf = (layer: Layer) => rowsOf(layer).flat();
const all = LAYERS.flatMap(keysOf);
const texts = new Set(all.map((key) => (key.kind === "text" ? key.text : "")));

test("each printable character of ASCII can be typed, capitals with the shift key", () => {
  for (let code = 0x20; code < 0x7f; code++) {
    const character = String.fromCharCode(code).toLowerCase();
    assert.ok(texts.has(character), character);
  }
});

test("each symbol of the form is on the keypad, as text or as a symbol", () => {
  const names = new Set(all.map((key) => (key.kind === "symbol" ? key.name : "")));
  const missing = SYMBOLS.filter(({ name, sign }) => !names.has(name) && !texts.has(sign));
  // Two keys type parentheses.
  assert.deepEqual(missing.map(({ name }) => name), ["parentheses"]);
});

test("each layer leads to the others, and has what moves, deletes and hides", () => {
  for (const layer of LAYERS) {
    const to = keysOf(layer).flatMap((key) => (key.kind === "layer" ? [key.to] : []));
    assert.deepEqual([...to, layer].sort(), [...LAYERS].sort());
    const commands = keysOf(layer).flatMap((key) => (key.kind === "command" ? [key.name] : []));
    for (const name of ["back", "undo", "left", "right", "enter", "fold"] as const) {
      assert.ok(commands.includes(name), `${layer}: ${name}`);
    }
  }
});

test("no layer has a key twice, and all rows above the last are equally long", () => {
  for (const layer of LAYERS) {
    const keys = keysOf(layer).map((key: Key) => JSON.stringify(key));
    assert.equal(new Set(keys).size, keys.length, layer);
    const lengths = rowsOf(layer).slice(0, -1).map((row) => row.length);
    assert.equal(new Set(lengths).size, 1, `${layer}: ${lengths.join()}`);
  }
});

test("only keys that move or delete repeat while they are held", () => {
  const names = all.filter(repeats).map((key) => (key.kind === "command" ? key.name : "?"));
  assert.deepEqual([...new Set(names)].sort(), ["back", "left", "right"]);
});

test("arrow keys reach each key and stay on the keypad", () => {
  for (const layer of LAYERS) {
    const rows = rowsOf(layer);
    const reached = new Set<string>();
    const walk = (row: number, column: number) => {
      assert.ok(rows[row]?.[column], `${layer} ${row} ${column}`);
      if (reached.has(`${row} ${column}`)) return;
      reached.add(`${row} ${column}`);
      for (const key of ["ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp"]) {
        const next = movedTo(key, [row, column], rows);
        if (next) walk(...next);
      }
    };
    walk(0, 0);
    assert.equal(reached.size, rows.flat().length, layer);
    assert.equal(movedTo("Enter", [0, 0], rows), null);
  }
});

test("the caret passes whole characters", () => {
  const text = "a𝑥π";
  assert.deepEqual([0, 1, 3, 4].map((at) => before(text, at)), [0, 0, 1, 3]);
  assert.deepEqual([0, 1, 3, 4].map((at) => after(text, at)), [1, 3, 4, 4]);
});
