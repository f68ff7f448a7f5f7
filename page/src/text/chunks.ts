// Loads the parts of the renderer that the first sight of the page does not need: the lexer, the
// typesetter of formulas, the highlighter of code. Each is asked for once; one that cannot be
// loaded is asked for again by the next text. main.tsx hears of a failure as of any rejection that
// nobody handles, and loads the page again if the box was updated.

import { loadStyle } from "../load-style.ts";

/** A part that may be there, or on its way. */
export interface Chunk<T> {
  /** The part, if it is there. */
  now(): T | null;
  /** Resolves with the part; with null if it cannot be loaded. */
  load(): Promise<T | null>;
}

function chunk<T>(fetchIt: () => Promise<T>): Chunk<T> {
  let part: T | null = null;
  let coming: Promise<T | null> | null = null;
  const load = async () => {
    try {
      part = await fetchIt();
    } catch (error) {
      coming = null;
      void Promise.reject(error);
    }
    return part;
  };
  return { now: () => part, load: () => (coming ??= load()) };
}

/** The address of the style sheet of formulas; build.mjs defines it. */
declare const MATH_STYLE: string;
/** Fonts that nearly every formula needs; it would change its size if they came after it. */
const FONTS = ["1em KaTeX_Main", "italic 1em KaTeX_Math"];
const FONTS_MS = 3_000;

async function loadMath() {
  const [typesetter] = await Promise.all([import("./typesetter.ts"), loadStyle(MATH_STYLE)]);
  const fonts = Promise.all(FONTS.map((font) => document.fonts.load(font))).catch(() => null);
  // A formula can be read without its fonts, so they are not waited for at any cost.
  await Promise.race([fonts, new Promise((done) => setTimeout(done, FONTS_MS))]);
  return typesetter;
}

export const lexerChunk = chunk(() => import("./lexer.ts"));
export const mathChunk = chunk(loadMath);
export const highlightChunk = chunk(() => import("./highlight.ts"));
