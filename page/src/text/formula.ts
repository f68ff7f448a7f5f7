// Single formulas outside a text, such as the value of a vote: what is typeset and what is words.

import { mathChunk } from "./chunks.ts";

const WORD = /\p{L}{3,}|[\u3400-\u9FFF]/u;
const TEX = /[\\^_{}$]/;

/** Loads what typesets formulas, so that the first one does not wait for it. */
export function preloadMath(): void {
  void mathChunk.load();
}

/** Whether a value is words, which TeX would set as a product of letters. */
export function isWords(value: string): boolean {
  return WORD.test(value) && !TEX.test(value);
}
