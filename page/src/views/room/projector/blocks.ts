// Hides blocks of a text on the page by an attribute of their elements, so that nothing is rendered
// again, and follows a text that still grows. Hidden blocks keep their place: nothing moves when
// they are shown, and their formulas are measured as they will be. Knows the text by its elements
// alone.

const HIDDEN = "aria-hidden";

/** Follows the blocks of the text within a place; `counted` gets their number when it changes. */
export class Blocks {
  readonly #place: HTMLElement;
  readonly #observer: MutationObserver;
  readonly #counted: (all: number) => void;
  #shown = 0;
  #all = -1;

  constructor(place: HTMLElement, counted: (all: number) => void) {
    this.#place = place;
    this.#counted = counted;
    this.#observer = new MutationObserver(() => this.#apply());
    this.#observer.observe(place, { childList: true, subtree: true });
    this.#apply();
  }

  /** Shows the first blocks and hides the others; returns the last one shown. */
  show(count: number): HTMLElement | null {
    this.#shown = count;
    this.#apply();
    return this.#blocks()[count - 1] ?? null;
  }

  end(): void {
    this.#observer.disconnect();
  }

  #blocks(): HTMLElement[] {
    return Array.from(this.#place.querySelectorAll<HTMLElement>(".prose > *"));
  }

  #apply(): void {
    const blocks = this.#blocks();
    blocks.forEach((block, at) => {
      // Not a class: the open block of a growing text sets its own.
      if (at >= this.#shown) block.setAttribute(HIDDEN, "true");
      else block.removeAttribute(HIDDEN);
    });
    if (blocks.length === this.#all) return;
    this.#all = blocks.length;
    this.#counted(this.#all);
  }
}
