// Lets what is wider than the page scroll within itself, and be reached by the keyboard only then.
// Measures in one go before the next frame, since measuring between changes makes browsers lay out
// the page each time.

import { t } from "../strings/index.ts";

const CANDIDATES = ".formula.typeset, .table-box, pre";
/** Fractions of a pixel do not count as overflow. */
const SLACK_PX = 1;

export class Fit {
  private readonly root: HTMLElement;
  private readonly fresh = new Set<HTMLElement>();
  private readonly observer: ResizeObserver | null;
  private width = 0;
  private frame = 0;

  constructor(root: HTMLElement) {
    this.root = root;
    // A text that grows changes its height only; what matters here is the width.
    this.observer = typeof ResizeObserver === "undefined" ? null : new ResizeObserver(() => {
      if (root.clientWidth === this.width) return;
      this.width = root.clientWidth;
      for (const element of root.querySelectorAll<HTMLElement>(CANDIDATES)) this.add(element);
    });
    this.observer?.observe(root);
  }

  /** Looks soon whether an element is too wide. */
  add(element: HTMLElement): void {
    this.fresh.add(element);
    this.frame ||= requestAnimationFrame(() => this.measure());
  }

  destroy(): void {
    cancelAnimationFrame(this.frame);
    this.observer?.disconnect();
    this.fresh.clear();
  }

  private measure(): void {
    this.frame = 0;
    const elements = [...this.fresh].filter((element) => this.root.contains(element));
    this.fresh.clear();
    const widths = elements.map(isWide);
    elements.forEach((element, i) => markWide(element, widths[i] ?? false));
  }
}

function isWide(element: HTMLElement): boolean {
  const isInline = element.matches(".formula:not(.display)");
  if (!isInline) return element.scrollWidth > element.clientWidth + SLACK_PX;
  const place = element.closest<HTMLElement>("p, li, td, th, h3, h4, h5, blockquote, div");
  if (!place || place.clientWidth === 0) return false;
  // A formula breaks between its bases, never within one.
  const bases = Array.from(element.querySelectorAll(".katex-html > .base"));
  return (bases.length > 0 ? bases : [element]).some((base) =>
    base.getBoundingClientRect().width > place.clientWidth + SLACK_PX);
}

function markWide(element: HTMLElement, isTooWide: boolean): void {
  if (element.classList.contains("wide") === isTooWide) return;
  element.classList.toggle("wide", isTooWide);
  if (!isTooWide) {
    for (const name of ["tabindex", "role", "aria-label"]) element.removeAttribute(name);
    return;
  }
  element.tabIndex = 0;
  element.setAttribute("role", "group");
  element.setAttribute("aria-label", nameOf(element));
}

function nameOf(element: Element): string {
  const words = t().text;
  if (element.matches(".formula")) return words.formulaScrolls;
  return element.matches("pre") ? words.codeScrolls : words.tableScrolls;
}
