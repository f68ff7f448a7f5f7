// The formulas of the open block of a text. It is rendered again and again while it grows; its
// formulas are kept, so that each is typeset once and none flickers.

import type { Segment } from "./math.ts";
import { createFormula, leaveUntypeset, typesetSoon } from "./typeset.ts";

/** Milliseconds for the formulas of one block, before the page gets its turn. */
const BLOCK_MS = 100;
/** Most formulas of one block that are typeset: browsers lay out such a block for seconds. */
const BLOCK_FORMULAS = 400;

export class FormulaPool {
  private deadline = 0;
  private taken = 0;
  private readonly spare = new Map<string, HTMLElement[]>();
  private readonly changed: (element: HTMLElement) => void;

  constructor(changed: (element: HTMLElement) => void) {
    this.changed = changed;
  }

  /** Begins a block, and takes back the formulas that it had when it was rendered before. */
  begin(elements: [string, HTMLElement][]): void {
    this.deadline = performance.now() + BLOCK_MS;
    this.taken = 0;
    for (const [key, element] of elements) {
      const same = this.spare.get(key);
      if (same) same.push(element);
      else this.spare.set(key, [element]);
    }
  }

  /** Returns the element of a formula, one that was given back if there is one. */
  take({ source, tex, isDisplay }: Segment): [string, HTMLElement] {
    const key = `${isDisplay} ${source}`;
    this.taken++;
    const known = this.spare.get(key)?.shift();
    if (known) return [key, known];
    const element = createFormula(tex, isDisplay, source, this.changed);
    if (this.taken <= BLOCK_FORMULAS) typesetSoon(element, this.deadline);
    return [key, element];
  }

  /** Drops what was given back and not taken again. */
  clear(): void {
    for (const elements of this.spare.values()) elements.forEach(leaveUntypeset);
    this.spare.clear();
  }
}
