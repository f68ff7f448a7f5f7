// The form's smaller rules: modes, attempts, length, the folded line, insertion without the
// browser's own undo.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Mode } from "../src/api/shapes.ts";
import { type Field, insertAtCaret, undoInsertion } from "../src/views/ask/insert.ts";
import { attemptChoices, chosenMode, offered } from "../src/views/ask/modes.ts";
import { oneLine } from "../src/views/ask/one-line.ts";
import { estimateTokens, roundTokens } from "../src/views/ask/tokens.ts";

const named = (name: string, difference: Partial<Mode> = {}): Mode => ({
  name, about: "", is_default: false, votes: true, attempts: 1, budget_tokens: 8_192,
  student_attempt: false, is_supported: true, examples: [], ...difference,
});
const listOf = (...modes: Mode[]) => ({ modes, is_demo: false, question_tokens_max: 2_048 });

test("the wanted mode is chosen if the model can do it", () => {
  const list = listOf(named("math", { is_default: true }), named("geometry"));
  assert.equal(chosenMode(list, "geometry").name, "geometry");
  assert.equal(chosenMode(list, "gone").name, "math");
  assert.equal(chosenMode(list, null).name, "math");
  const demo = listOf(named("math", { is_default: true }), named("hint", { is_supported: false }));
  assert.equal(chosenMode(demo, "hint").name, "math");
});

test("the form is complete before the box has sent its modes", () => {
  assert.equal(chosenMode(null, null).name, "math");
  assert.equal(chosenMode(null, "review").student_attempt, true);
  assert.equal(offered(null).length, 6);
});

test("the mode's own number of attempts is among the choices", () => {
  assert.deepEqual(attemptChoices(named("math"), null), [1, 4, 8]);
  assert.deepEqual(attemptChoices(named("math", { attempts: 5 }), null), [1, 4, 5, 8]);
  assert.deepEqual(attemptChoices(named("math"), 16), [1, 4, 8, 16]);
  assert.deepEqual(attemptChoices(named("code", { votes: false }), 4), [1]);
});

test("tokens are estimated by the kind of character", () => {
  assert.equal(estimateTokens(""), 0);
  assert.equal(estimateTokens("求方程的解"), 5);
  assert.equal(estimateTokens("1234"), 4);
  const text = "What is the sum of the first hundred odd numbers?";
  // The Qwen2 vocabulary has 11.
  assert.ok(estimateTokens(text) >= 11 && estimateTokens(text) <= 14, `${estimateTokens(text)}`);
});

test("a 5 MB paste is estimated like any other text", () => {
  const once = estimateTokens("x = 5; ".repeat(1_000));
  assert.equal(estimateTokens("x = 5; ".repeat(750_000)), 750 * once);
});

test("estimates are rounded", () => {
  assert.equal(roundTokens(437), 440);
  assert.equal(roundTokens(1_263), 1_300);
});

test("a question folds to one line without TeX", () => {
  assert.equal(oneLine("What is\n $\\frac{1}{2}$ of  $10?"), "What is 1/2 of $10?");
  const long = oneLine("a ".repeat(100_000));
  assert.ok(long.length <= 301 && long.endsWith("…"));
});

/** The part of a text field that insertion needs, without an editing command, as Firefox 78. */
function plainField(value: string, start: number, end = start) {
  Object.defineProperty(globalThis, "document", {
    value: { execCommand: () => false }, configurable: true,
  });
  return {
    value, selectionStart: start, selectionEnd: end, inputs: 0,
    focus() {},
    setSelectionRange(from: number, to: number) {
      [this.selectionStart, this.selectionEnd] = [from, to];
    },
    setRangeText(text: string, from: number, to: number) {
      this.value = this.value.slice(0, from) + text + this.value.slice(to);
    },
    dispatchEvent() {
      return Boolean(++this.inputs);
    },
  };
}

test("an insertion replaces the selection, is noticed, and can be taken back", () => {
  const field = plainField("a b c", 2, 3);
  const dom = field as unknown as Field;
  insertAtCaret(dom, "\\frac{}{}", 6);
  assert.equal(field.value, "a \\frac{}{} c");
  assert.equal(field.selectionStart, 8);
  assert.equal(field.inputs, 1);
  insertAtCaret(dom, "1");
  assert.equal(field.value, "a \\frac{1}{} c");
  assert.equal(undoInsertion(dom), true);
  assert.equal(undoInsertion(dom), true);
  assert.equal(field.value, "a b c");
  assert.equal(undoInsertion(dom), false);
});

test("what was typed after an insertion is taken back first, by the browser", () => {
  const field = plainField("", 0);
  const dom = field as unknown as Field;
  insertAtCaret(dom, "π");
  field.value += "r";
  assert.equal(undoInsertion(dom), false);
  field.value = "π";
  assert.equal(undoInsertion(dom), true);
  assert.equal(field.value, "");
});
