// What is mended in a formula before KaTeX sees it, and what it never sees.

import assert from "node:assert/strict";
import { test } from "node:test";
import { mendTex, refusal } from "../src/text/tex.ts";
import { isWords } from "../src/text/formula.ts";

const raw = String.raw;

test("per cent and number signs are no comments and parameters", () => {
  assert.equal(mendTex(raw`50% of x, 3\% and \#1, #2`, false), raw`50\% of x, 3\% and \#1, \#2`);
  assert.equal(mendTex(raw`\def\a#1{#1}\a 2`, false), raw`\def\a#1{#1}\a 2`);
  assert.equal(mendTex(raw`a \\% b`, false), raw`a \\\% b`);
});

test("lines that are aligned or broken get their environment", () => {
  assert.equal(mendTex(raw`a &= b \\ &= c`, true), raw`\begin{aligned}a &= b \\ &= c\end{aligned}`);
  assert.equal(mendTex(raw`a \\ b`, true), raw`\begin{gathered}a \\ b\end{gathered}`);
  assert.equal(mendTex(raw`a = b \\`, true), raw`a = b \\`);
  const cases = raw`f = \begin{cases}1 & a \\ 2 & b\end{cases}`;
  assert.equal(mendTex(cases, true), cases);
  assert.equal(mendTex(raw`\begin{align}a&b\end{align}`, true), raw`\begin{align*}a&b\end{align*}`);
  assert.equal(mendTex(raw`\begin{align}a\end{align}`, false), raw`\begin{aligned}a\end{aligned}`);
  assert.equal(mendTex(raw`\begin{eqnarray}a\end{eqnarray}`, true),
    raw`\begin{align*}a\end{align*}`);
});

test("formulas that would take long are refused", () => {
  assert.equal(refusal(raw`\frac{1}{2}`), null);
  assert.equal(refusal("x".repeat(5_001)), "too long");
  assert.equal(refusal("{".repeat(100)), "nested too deeply");
  assert.equal(refusal(raw`\def\a{${"x".repeat(300)}}${raw`\a`.repeat(100)}`),
    "too many definitions");
});

test("a value of words is not set as a product of letters", () => {
  assert.ok(isWords("no solution") && isWords("无解"));
  assert.ok(!isWords("ab") && !isWords(raw`\text{no solution}`) && !isWords("3/4"));
});
