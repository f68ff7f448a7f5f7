// Highlights code in the six languages that the box's models are asked for. A chunk of its own,
// loaded by chunks.ts. Returns lowlight's tree; code.ts makes nodes of it.

import "./older-browsers.ts";
import bash from "highlight.js/lib/languages/bash";
import cpp from "highlight.js/lib/languages/cpp";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import python from "highlight.js/lib/languages/python";
import rust from "highlight.js/lib/languages/rust";
import { createLowlight } from "lowlight";

const lowlight = createLowlight({ bash, cpp, java, javascript, python, rust });
// Beyond the aliases that the languages bring along.
lowlight.registerAlias({
  bash: ["shell", "console", "terminal"],
  cpp: ["c"],
  javascript: ["ts", "typescript", "tsx"],
  python: ["python3", "sage"],
});

/** Returns the tree of a piece of code; null for a language that is not known. */
export function highlight(code: string, language: string) {
  const name = language.toLowerCase();
  return lowlight.registered(name) ? lowlight.highlight(name, code) : null;
}
