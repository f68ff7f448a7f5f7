// The check of the built page (oldest/check.mjs) finds what one of the oldest browsers lacks.

import assert from "node:assert/strict";
import { test } from "node:test";
// @ts-expect-error The checks are plain JavaScript, as build.mjs is.
import { faults } from "../oldest/check.mjs";

type Accepted = { feature: string; in: string[]; reason: string };

const found = (name: string, text: string, accepted: Accepted[] = []): string[] =>
  faults([{ name, text }], accepted);

/** Asserts that each source has exactly one fault, which names the feature. */
function assertFound(file: string, sources: Record<string, string>) {
  for (const [source, feature] of Object.entries(sources)) {
    const list = found(file, source);
    assert.ok(list.some((one) => one.startsWith(`${file}: ${feature}`)), `${source}: ${list}`);
  }
}

test("newer syntax of scripts is found", () => {
  assertFound("a.js", {
    "a ??= b": "syntax",
    "class A { x = 1 }": "syntax",
    "class A { #x() {} }": "syntax",
    "1_000": "syntax",
    "await x": "syntax",
    "/(?<=a)b/": "(?<=)",
    "new RegExp('(?<!a)b')": "(?<=)",
    "new RegExp('a', 'd')": "RegExp flag d",
  });
});

test("newer functions and members of scripts are found", () => {
  assertFound("a.js", {
    "a.at(-1)": ".at()",
    "x.replaceAll('a', 'b')": ".replaceAll()",
    "let own = {at: 1}; a.at(-1)": ".at()",
    "structuredClone(a)": "structuredClone",
    "window.structuredClone(a)": "window.structuredClone",
    "Promise.any([])": "Promise.any",
    "Object.hasOwn(a, b)": "Object.hasOwn",
    "new WeakRef(a)": "WeakRef",
    "a.findLast(f)": ".findLast()",
    "a.replaceChildren(b)": "a.replaceChildren",
    "f().showModal()": ".showModal",
    "crypto.randomUUID()": "crypto.randomUUID",
    "AbortSignal.timeout(3)": "AbortSignal.timeout",
    "a.addEventListener('x', f, {signal: s})": "addEventListener({ signal })",
    "fetch(u, {priority: 'low'})": "fetch({ priority })",
    "new Intl.NumberFormat('de', {notation: 'compact'})": "new NumberFormat({ notation })",
    "a.addEventListener('scrollend', f)": "event scrollend",
  });
});

test("newer elements, attributes and styles of scripts are found", () => {
  assertFound("a.js", {
    "h('dialog', {})": "<dialog>",
    "h('p', {inert: true})": "<p inert>",
    "h('p', {onBeforeInput: f})": "event beforeinput",
    "h('p', {style: {inset: 0}})": "inset",
    "h('p', {style: 'aspect-ratio: 1'})": "aspect-ratio",
    "a.style.aspectRatio = '1'": "aspect-ratio",
    "a.setAttribute('popover', '')": "< popover>",
    "matchMedia('(prefers-contrast: more)')": "@media (prefers-contrast)",
  });
});

test("newer style is found", () => {
  assertFound("a.css", {
    ".a { display: flex; gap: 1px }": "gap outside of a grid",
    ".a { inset: 0 }": "inset",
    ".a { aspect-ratio: 1 }": "aspect-ratio",
    ".a { height: 100dvh }": "unit dvh",
    ".a { width: 3cqw }": "unit cqw",
    ".a { color: color-mix(in srgb, red, blue) }": "color-mix()",
    ".a { overflow: clip }": "overflow: clip",
    ".a { appearance: none }": "appearance",
    ".a { margin-inline: 0 }": "margin-inline",
    ".a:focus-visible { color: red }": ":focus-visible",
    ".a:has(b) { color: red }": ":has",
    ".a:is(b, c) { color: red }": ":is",
    ".a:not(b, c) { color: red }": ":not(a, b)",
    ".a { & b { color: red } }": "nesting",
    "@layer a { b { color: red } }": "@layer",
    "@container (min-width: 1px) { b { color: red } }": "@container",
    "@media (width > 1px) { b { color: red } }": "media range",
  });
});

test("newer elements and attributes of the page's file are found", () => {
  assertFound("index.html", {
    "<dialog>": "<dialog>",
    "<p inert>": "<p inert>",
    "<!-- a comment --><link rel=\"modulepreload\" href=\"a.js\">": "<link rel=\"modulepreload\">",
  });
});

test("what all of them have is not found", () => {
  const script = "const at = {at: 1}; at.at; a?.b ?? c; import('x'); a.flat(); s.matchAll(/a/g);"
    + "h('input', {type: 'text', onInput: f, style: {width: 1}}); new ResizeObserver(f);";
  assert.deepEqual(found("a.js", script), []);
  const style = ".a { display: grid; gap: 1px } .b { width: min(1px, 2vw); user-select: none;"
    + " -webkit-user-select: none } @media (min-width: 1px) { .a:focus-within { color: red } }";
  assert.deepEqual(found("a.css", style), []);
  assert.deepEqual(found("index.html", "<!doctype html><html lang=\"en\"><p class=\"a\">b"), []);
});

test("an entry accepts a feature in its files, and one that nothing needs is a fault", () => {
  const entry = { feature: "inset", in: ["main"], reason: "a test" };
  assert.deepEqual(found("main-AB.css", ".a { inset: 0 }", [entry]), []);
  assert.equal(found("room-AB.css", ".a { inset: 0 }", [entry]).length, 2);
  assert.equal(found("main-AB.css", ".a { top: 0 }", [entry]).length, 1);
});
