// The formulas on the page: elements that show a formula's source until it is typeset, which
// happens once. A formula that cannot be typeset keeps showing its source, quietly.

import { t } from "../strings/index.ts";
import { mathChunk } from "./chunks.ts";
import { isMathMLOnly } from "./math-only.ts";
import { runSoon } from "./slices.ts";
import { setSource, sourceOf } from "./sources.ts";

interface Formula {
  tex: string;
  isDisplay: boolean;
  /** Called when it looks different. */
  changed: (element: HTMLElement) => void;
}

const formulas = new WeakMap<Element, Formula>();
/** Formulas that wait for the typesetter, in the order of their appearance. */
const waiting = new Set<HTMLElement>();
let isWaiting = false;
let isShownAsMathML = isMathMLOnly.peek();
let count = 0;

/** Returns how many formulas were typeset since the page was loaded, for tests. */
export function typesetCount(): number {
  return count;
}

/** Makes the element of a formula, which shows `source`. */
export function createFormula(
  tex: string, isDisplay: boolean, source: string, changed: Formula["changed"] = () => {},
): HTMLElement {
  const element = document.createElement("span");
  element.className = isDisplay ? "formula display" : "formula";
  element.dir = "ltr";
  element.textContent = source;
  setSource(element, source);
  formulas.set(element, { tex, isDisplay, changed });
  return element;
}

/** Typesets a formula: now if that is possible and there is time until `deadline`, else soon. */
export function typesetSoon(element: HTMLElement, deadline = Infinity): void {
  const isLoaded = mathChunk.now() !== null;
  if (isLoaded && performance.now() < deadline) return typeset(element);
  waiting.add(element);
  if (isLoaded) return typesetLater(element);
  if (isWaiting) return;
  isWaiting = true;
  void mathChunk.load().then((part) => {
    isWaiting = false;
    if (part) waiting.forEach(typesetLater);
  });
}

function typesetLater(element: HTMLElement): void {
  runSoon(() => {
    if (waiting.has(element)) typeset(element);
  });
}

/** Does not typeset a formula that nobody will see. */
export function leaveUntypeset(element: HTMLElement): void {
  waiting.delete(element);
}

function typeset(element: HTMLElement): void {
  const part = mathChunk.now();
  const formula = formulas.get(element);
  waiting.delete(element);
  if (!part || !formula) return;
  count++;
  try {
    const node = part.typesetTex(formula.tex, formula.isDisplay, isMathMLOnly.peek());
    element.textContent = "";
    element.append(node);
    element.classList.add("typeset");
  } catch (error) {
    showFault(element, error);
  }
  formula.changed(element);
}

function showFault(element: HTMLElement, error: unknown): void {
  const message = error instanceof Error ? error.message.replace(/^KaTeX parse error: /, "") : "";
  element.textContent = sourceOf(element) ?? "";
  element.classList.remove("typeset");
  element.classList.add("faulty");
  element.title = `${t().text.faultyFormula}: ${message}`;
}

// A change of the setting holds for the formulas on the page, too.
isMathMLOnly.subscribe((wanted) => {
  if (wanted === isShownAsMathML) return;
  isShownAsMathML = wanted;
  for (const element of document.querySelectorAll<HTMLElement>(".formula.typeset")) {
    runSoon(() => typeset(element));
  }
});
