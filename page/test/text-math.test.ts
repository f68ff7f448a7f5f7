// The scanner of formulas: what is one, what is none, what may become one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { scanMath } from "../src/text/math.ts";
import { cpuMs } from "./support/cpu.ts";

/** Returns the formulas of a text: `tex` inline, `[tex]` displayed, `tex…` while not closed. */
function found(text: string, isGrowing = false): string[] {
  return scanMath(text, isGrowing).map(({ tex, isDisplay, isClosed }) =>
    (isDisplay ? `[${tex}]` : tex) + (isClosed ? "" : "…"));
}

test("dollars follow Pandoc's rule", () => {
  assert.deepEqual(found("so $x^2$ and $y$."), ["x^2", "y"]);
  assert.deepEqual(found("$5 and $10"), []);
  assert.deepEqual(found("$5 and $x$"), ["x"]);
  assert.deepEqual(found("$ x$ and $x $"), []);
  assert.deepEqual(found("from $5$6"), []);
  assert.deepEqual(found("US$20,000 and $x$"), ["x"]);
  assert.deepEqual(found(String.raw`\$x$ and \$5`), []);
  assert.deepEqual(found(String.raw`$\$5$`), [String.raw`\$5`]);
  assert.deepEqual(found("$a\nb$"), ["a\nb"]);
  assert.deepEqual(found("$a\n\nb$"), []);
  assert.deepEqual(found("- $5\n- 6$"), []);
  assert.deepEqual(found("$x$$y$"), ["x", "y"]);
  assert.deepEqual(found("设$x$为"), ["x"]);
  assert.deepEqual(found("$10, but this is none. **So:**$a_1$"), ["a_1"]);
  const words = String.raw`2 \text{ apples and pears}`;
  assert.deepEqual(found(`$${words}$`), [words]);
  assert.deepEqual(found(String.raw`$7 \mid ab + a$`), [String.raw`7 \mid ab + a`]);
});

test("a dollar in a text command does not end a formula", () => {
  assert.deepEqual(found(String.raw`$x \text{ if $y$} = 1$`), [String.raw`x \text{ if $y$} = 1`]);
});

test("all delimiters work within a line", () => {
  assert.deepEqual(found(String.raw`a $$x$$ b \(y\) c \[z\] d`), ["[x]", "y", "[z]"]);
  assert.deepEqual(found("$$\nx\n$$"), ["[\nx\n]"]);
  assert.deepEqual(found(String.raw`\[a \\[2pt] b\]`), [String.raw`[a \\[2pt] b]`]);
});

test("a displayed formula may hold blank lines if it begins like a block", () => {
  assert.deepEqual(found("$$\nx\n\ny\n$$"), ["[\nx\n\ny\n]"]);
  assert.deepEqual(found("costs $$ a\n\nand $$ b"), ["[$$ a]…", "[$$ b]…"]);
});

test("boxes and environments need no delimiters", () => {
  assert.deepEqual(found(String.raw`**\boxed{\frac{1}{2}}**`), [String.raw`\boxed{\frac{1}{2}}`]);
  assert.deepEqual(found(String.raw`\begin{align}a\\b\end{align}`),
    [String.raw`[\begin{align}a\\b\end{align}]`]);
  assert.deepEqual(found(String.raw`is \begin{pmatrix}1\end{pmatrix} so`),
    [String.raw`\begin{pmatrix}1\end{pmatrix}`]);
  assert.deepEqual(found(String.raw`\begin{pmatrix}1\end{pmatrix} so`),
    [String.raw`[\begin{pmatrix}1\end{pmatrix}]`]);
  assert.deepEqual(found(String.raw`\begin{itemize}\end{itemize}`), []);
  const nested = String.raw`\begin{cases}\begin{cases}a\end{cases}\end{cases}`;
  assert.deepEqual(found(`x ${nested}`), [nested]);
});

test("code holds no formulas", () => {
  assert.deepEqual(found("`$x$` and ``a ` $y$`` and $z$"), ["z"]);
  assert.deepEqual(found("```py\n$x$\n```\n$y$"), ["y"]);
  assert.deepEqual(found("~~~\n$x$"), []);
  assert.deepEqual(found("- a\n  ```\n  $x$\n  ```\n  $y$"), ["y"]);
  assert.deepEqual(found("costs $5 for `x$`"), []);
  assert.deepEqual(found("a `b and $x$"), ["x"]);
});

test("what is not closed waits, and only to the end of its paragraph", () => {
  assert.deepEqual(found(String.raw`so \(x + \frac{a`), [String.raw`\(x + \frac{a…`]);
  assert.deepEqual(found(String.raw`so \[x` + "\n\nand $y$"), [String.raw`[\[x]…`, "y"]);
  assert.deepEqual(found(String.raw`so \boxed{1`), [String.raw`\boxed{1…`]);
  assert.deepEqual(found(String.raw`so $\frac{1`, true), [String.raw`$\frac{1…`]);
  assert.deepEqual(found(String.raw`so $\frac{1`), []);
  assert.deepEqual(found("costs $5 and", true), []);
});

test("marks of a quote are no part of a formula", () => {
  assert.deepEqual(found("> $$\n> x > y\n> $$"), ["[\nx > y\n]"]);
});

// The bound is far above what is needed, and far below what quadratic time would take.
test("hostile texts take no time", () => {
  const began = cpuMs();
  for (const piece of ["$", "$$", "\\(", "\\[", "\\begin{align}", "\\boxed{", "`", "$a `", "{",
    "$x\n", "$$\n", "\\text{$", "~~~\n", "``` `"]) {
    scanMath(piece.repeat(16_000 / piece.length), true);
  }
  assert.ok(cpuMs() - began < 8_000, `took ${cpuMs() - began} ms`);
});
