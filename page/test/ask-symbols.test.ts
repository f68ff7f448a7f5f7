// What the symbols insert: into a text, into a formula, around a selection.

import assert from "node:assert/strict";
import { test } from "node:test";
import katex from "katex";
import { formulas, isInFormula } from "../src/views/ask/formulas.ts";
import { SYMBOLS, type SymbolName, insertionOf } from "../src/views/ask/symbols.ts";

/** Presses a symbol in a text where `[…]` marks the selection, or `|` the caret; returns the text
    after that, with the caret. */
function press(name: SymbolName, marked: string): string | null {
  const symbol = SYMBOLS.find((one) => one.name === name);
  assert.ok(symbol);
  const start = marked.search(/[[|]/);
  const end = marked.includes("|") ? start : marked.indexOf("]") - 1;
  const text = marked.replace(/[[\]|]/g, "");
  const wanted = insertionOf(symbol, text, start, end);
  if (!wanted) return null;
  const caret = wanted.start + wanted.caretOffset;
  const after = text.slice(0, wanted.start) + wanted.text + text.slice(wanted.end);
  return `${after.slice(0, caret)}|${after.slice(caret)}`;
}

test("signs are typed as they are", () => {
  assert.equal(press("pi", "2|r"), "2π|r");
  assert.equal(press("less", "$x|$"), "$x≤|$");
});

test("a sign never replaces what is selected", () => {
  assert.equal(press("unequal", "a [b] c"), "a b≠| c");
});

test("templates outside a formula make one, inside they do not", () => {
  assert.equal(press("fraction", "Half is |."), "Half is $\\frac{|}{}$.");
  assert.equal(press("fraction", "Half is $|$."), "Half is $\\frac{|}{}$.");
  assert.equal(press("root", "$x+|$"), "$x+\\sqrt{|}$");
  assert.equal(press("formula", "Let |"), "Let $|$");
  assert.equal(press("formula", "Let $x|$"), null);
});

test("templates take the selection in", () => {
  assert.equal(press("fraction", "[a+b] is"), "$\\frac{a+b}{|}$ is");
  assert.equal(press("root", "[2]"), "$\\sqrt{2}|$");
  assert.equal(press("fraction", "$[a]+b$"), "$\\frac{a}{|}+b$");
  assert.equal(press("parentheses", "[a+b]"), "(a+b)|");
  assert.equal(press("parentheses", "f|"), "f(|)");
  assert.equal(press("braces", "$[x]$"), "$\\{x\\}|$");
});

test("spaces at the edges of a selection stay outside the formula", () => {
  assert.equal(press("formula", "let[ x ]be"), "let $x|$ be");
});

test("a selected formula becomes part of the new one", () => {
  assert.equal(press("fraction", "[$x$]"), "$\\frac{x}{|}$");
});

test("a new formula next to another does not make a display of both", () => {
  assert.equal(press("root", "$x$|"), "$x$ $\\sqrt{|}$");
});

test("a power follows what was typed, or raises the selection", () => {
  assert.equal(press("power", "x|"), "x^|");
  assert.equal(press("power", "$x|$"), "$x^{|}$");
  assert.equal(press("power", "[x]"), "$x^{|}$");
  assert.equal(press("power", "[a+b] = 1"), "$(a+b)^{|}$ = 1");
  assert.equal(press("power", "[(a+b)]"), "$(a+b)^{|}$");
  assert.equal(press("subscript", "$[x]$"), "$x_{|}$");
});

test("braces are escaped in a formula", () => {
  assert.equal(press("braces", "$|$"), "$\\{|\\}$");
  assert.equal(press("braces", "|"), "{|}");
});

test("KaTeX typesets what each symbol inserts into a formula", () => {
  for (const { name } of SYMBOLS) {
    const after = press(name, "$a|$") ?? "$a$";
    const tex = after.replace("|", "").slice(1, -1).replace(/\{\}/g, "{b}");
    assert.doesNotThrow(() => katex.renderToString(tex, { strict: "error" }), `${name}: ${tex}`);
  }
});

test("formulas are found by all delimiters", () => {
  const found = (text: string) => formulas(text).map(({ start, end }) => text.slice(start, end));
  assert.deepEqual(found("is $x^2$ or $$y$$?"), ["$x^2$", "$$y$$"]);
  assert.deepEqual(found("\\(a\\) and \\[b\\]"), ["\\(a\\)", "\\[b\\]"]);
  assert.deepEqual(found("\\begin{cases}x\\end{cases}"), ["\\begin{cases}x\\end{cases}"]);
  assert.deepEqual(found("\\boxed{5}"), ["\\boxed{5}"]);
});

test("sums of money are no formulas", () => {
  assert.deepEqual(formulas("$5 and $10"), []);
  assert.deepEqual(formulas("It costs $5."), []);
  assert.deepEqual(formulas("\\$5 and 6\\$"), []);
  assert.deepEqual(formulas("$$$$"), []);
  assert.deepEqual(formulas("$a\n\nb$"), []);
});

test("the caret is in a formula between its delimiters only", () => {
  const text = "let $x$ be";
  const inside = Array.from(text, (_, at) => at).filter((at) => isInFormula(text, at));
  assert.deepEqual(inside, [5, 6]);
  assert.equal(isInFormula("$$", 1), true);
  assert.equal(isInFormula("", 0), false);
});

test("the caret in a pasted book is judged by its surroundings", () => {
  const book = `${"$a ".repeat(700_000)}\n\n$x$${"$a ".repeat(700_000)}`;
  assert.equal(isInFormula(book, book.indexOf("$x") + 1), true);
  assert.equal(isInFormula(book, 1_000_000), false);
});
