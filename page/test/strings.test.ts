// Every word of the page is in both languages, is used, and stands in the strings alone. Uses are
// found by their path from `t()` or a constant that holds a part of it, so that a key of one part
// does not pass for the same key of another.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { en } from "../src/strings/en.ts";
import { owner as ownerEn } from "../src/strings/en/owner.ts";
import { zh } from "../src/strings/zh.ts";
import { owner as ownerZh } from "../src/strings/zh/owner.ts";

const SRC = join(import.meta.dirname, "../src");
/** `t()` has all words but the owner's, which `w()` has. */
const ENGLISH: Words = { t: en, w: ownerEn };
const CHINESE: Words = { t: zh, w: ownerZh };
/** Names and signs, the same in all languages. */
const NOT_WORDS = /^(solverbox|Markdown|JSON|TeX)?$/;

/** `t().a.b` or `words.a.b`, and what it is assigned to. */
const CHAIN = new RegExp(String.raw`(?:\bconst (\w+)(?:: [^=;]+)? = )?`
  + String.raw`(?<![\w.$])(?:([tw])\(\)|(\w+))((?:\??\.\w+)*)(;?)`, "g");
/** Text after a tag, up to the next one or an expression; and on a line of its own. */
const AFTER_TAG =
  /(?:<[\w.]+(?:\s[^<>]*)?|<\/[\w.]+|["}/])>([^<>{}()=;:]*)(?=[<{])/g;
const ALONE = /\n *([A-Za-z][\w ,.'’!?]*)\n *(?=<\/)/g;
/** The attributes that people read. */
const READ = /\s(?:aria-label|title|placeholder|alt)="([^"]*)"/g;

interface Words { [key: string]: unknown }

const isGroup = (value: unknown): value is Words =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Returns the paths of all texts. */
function pathsOf(words: Words, above = ""): string[] {
  return Object.entries(words).flatMap(([key, value]) =>
    isGroup(value) ? pathsOf(value, `${above}${key}.`) : [above + key]);
}

/** Returns the sources outside the strings, without comments. */
function sources(ending: RegExp): [string, string][] {
  return (readdirSync(SRC, { recursive: true }) as string[])
    .filter((name) => ending.test(name) && !/^strings/.test(name))
    .map((name) => [name, withoutComments(readFileSync(join(SRC, name), "utf8"))]);
}

function withoutComments(source: string): string {
  return source.replace(/\/\*[^]*?\*\//g, "").replace(/(^|\s)\/\/.*/g, "$1");
}

/** Follows `.a.b` from a part of the words; returns the path of the text or the part it names. */
function follow(from: string, keys: string[]): string {
  let path = from;
  let part: unknown = from.split(".").reduce<unknown>((at, key) => (at as Words)[key], ENGLISH);
  for (const key of keys) {
    if (!isGroup(part) || !(key in part)) break;
    part = part[key];
    path += `.${key}`;
  }
  return path;
}

/** Returns the texts, and the parts whose texts a source chooses at run time, that it uses. */
function usesIn(source: string): string[] {
  const uses: string[] = [];
  const constants = new Map<string, string>();
  for (const [, name, root, constant, dots, end] of source.matchAll(CHAIN)) {
    const from = root ?? constants.get(constant ?? "");
    if (name) constants.delete(name);
    if (from === undefined) continue;
    const path = follow(from, (dots ?? "").split(/\??\./).slice(1));
    const isPart = !TEXTS.includes(path);
    if (name && end && isPart) constants.set(name, path);
    else uses.push(path);
  }
  return uses;
}

const TEXTS = pathsOf(ENGLISH);

test("both languages have the same words", () => {
  assert.deepEqual(pathsOf(CHINESE).sort(), [...TEXTS].sort());
});

test("every word is used", () => {
  const uses = new Set(sources(/\.tsx?$/).flatMap(([, source]) => usesIn(source)));
  const isUsed = (path: string) => {
    const keys = path.split(".");
    return keys.some((_, at) => at > 0 && uses.has(keys.slice(0, at + 1).join(".")));
  };
  assert.deepEqual(TEXTS.filter((path) => !isUsed(path)), []);
});

test("a word of one part does not pass for the same word of another", () => {
  const source = "const words = t().job; words.state.gone; const { x } = words; "
    + "t().app.box[state];";
  assert.deepEqual(usesIn(source), ["t.job.state.gone", "t.job", "t.app.box"]);
});

test("no words stand in the elements themselves", () => {
  const found: string[] = [];
  for (const [name, source] of sources(/\.tsx$/)) {
    const matches = [AFTER_TAG, ALONE, READ].flatMap((pattern) => [...source.matchAll(pattern)]);
    for (const [, text = ""] of matches) {
      const words = text.trim();
      if (/\p{L}{2}/u.test(words) && !NOT_WORDS.test(words)) found.push(`${name}: ${words}`);
    }
  }
  assert.deepEqual(found, []);
});
