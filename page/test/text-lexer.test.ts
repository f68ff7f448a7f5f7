// What the lexer makes of a block, with formulas protected, and its limits.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cleanText } from "../src/text/clean.ts";
import { loosenEmphasis, tightenText } from "../src/text/emphasis.ts";
import { decodeEntities } from "../src/text/entities.ts";
import { lexBlock } from "../src/text/lexer.ts";
import { protect, restore, type Protected } from "../src/text/protect.ts";
import { cpuMs } from "./support/cpu.ts";

function protectedText(source: string): Protected {
  const whole = protect(cleanText(source), false);
  assert.ok(whole);
  return whole;
}

/** Returns the tree of a block in short: `p(strong(a) b)`. */
function tree(source: string): string {
  const whole = protectedText(source);
  const short = (tokens: any[]): string => tokens.map((token) => {
    const inner = token.items ?? token.tokens;
    if (inner) return `${token.type}(${short(inner)})`;
    return token.type === "space" ? "" : tightenText(restore(token.text ?? token.type, whole));
  }).join("");
  return short(lexBlock(loosenEmphasis(whole.text)) ?? []);
}

test("Markdown eats nothing of a formula", () => {
  assert.equal(tree("$a_1 * b_2 * c$ and *d*"), "paragraph($a_1 * b_2 * c$ and em(d))");
  assert.equal(tree(String.raw`\[a \\ b\] \(\{c\}\)`), String.raw`paragraph(\[a \\ b\] \(\{c\}\))`);
  assert.equal(tree("- a\n  $$\n  - b\n  $$\n  c"), "list(list_item(text(abr$$\n  - b\n  $$brc)))");
  assert.equal(tree("    $x$"), "paragraph(    $x$)");
});

test("emphasis works beside Chinese and beside formulas", () => {
  assert.equal(tree("**步骤：**求"), "paragraph(strong(步骤：)求)");
  assert.equal(tree("**Answer:**$x$"), "paragraph(strong(Answer:)$x$)");
  assert.equal(tree("所以**“解”**是"), "paragraph(所以strong(“解”)是)");
  assert.equal(tree("`**a，**b`"), "paragraph(**a，**b)");
  assert.equal(tree("**$x$**"), "paragraph(strong($x$))");
});

test("names of characters are read once", () => {
  assert.equal(decodeEntities("a &lt; b &amp;lt; &unknown; &constructor; & c"),
    "a < b &lt; &unknown; &constructor; & c");
});

test("HTML, links and rules stay what they were written as", () => {
  assert.equal(tree("<script>alert(1)</script>"), "paragraph(<script>alert(1)</script>)");
  assert.equal(tree("a </think> b"), "paragraph(a </think> b)");
  assert.equal(tree("[1]: http://x.y"), "paragraph([1]: link(http://x.y))");
  assert.equal(tree("a\n---\nb"), "paragraph(a)hrparagraph(b)");
});

test("a text may hold the renderer's own characters", () => {
  assert.equal(cleanText("a\uE000b\u205Fc\u202Ed\u200Be\r\n"), "a\uFFFDb cde\n");
});

// The bounds are far above what is needed, and far below what quadratic time would take.
test("deep nesting and loops of marks are a plain text, at once", () => {
  assert.equal(lexBlock("> ".repeat(5_000)), null);
  assert.equal(lexBlock("- ".repeat(5_000)), null);
  const began = cpuMs();
  for (const piece of ["*", "_", "[", "*a **b ", "~a ", "[a](", "![", "`", "<a ", "a@", "__a_ ",
    "a*", "<!--", "[[]", "\\", "&a", "http://a.", "**，a", "_a", "(", "a-._+", "|a|\n|-|\n"]) {
    const text = piece.repeat(Math.ceil(16_000 / piece.length));
    const one = cpuMs();
    lexBlock(loosenEmphasis(text));
    lexBlock(loosenEmphasis(`${text}*_)]~>`));
    lexBlock(loosenEmphasis(text.slice(0, 290 * piece.length)));
    assert.ok(cpuMs() - one < 2_000, `${piece} took ${cpuMs() - one} ms`);
  }
  assert.ok(cpuMs() - began < 10_000, `took ${cpuMs() - began} ms`);
});
