// Whether formulas are MathML alone, for screen readers that cannot reach the MathML hidden behind
// the drawn formula. A setting of the browser; text/typeset.ts follows it.

import { signal } from "@preact/signals";

const KEY = "formulas";
const MATHML = "mathml";

export const isMathMLOnly = signal(isChosen());

function isChosen(): boolean {
  try {
    return localStorage.getItem(KEY) === MATHML;
  } catch {
    // Without storage, and in tests without a browser.
    return false;
  }
}

/** Sets it from now on, also for when the page is opened again. */
export function chooseMathMLOnly(wanted: boolean): void {
  isMathMLOnly.value = wanted;
  try {
    if (wanted) localStorage.setItem(KEY, MATHML);
    else localStorage.removeItem(KEY);
  } catch {
    // It then holds until the page is closed.
  }
}
