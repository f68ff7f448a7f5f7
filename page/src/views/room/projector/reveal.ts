// Which blocks of an answer a projector shows, and what keys do: presenters send PageUp and
// PageDown, keyboards arrows and the space bar. Pure; projector.tsx shows it.

/** How many blocks are shown, of those that are there. */
export interface Shown { count: number; all: number }

/** The part of a KeyboardEvent that decides. */
export type KeyPress = Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">;

/** Returns how many blocks a key shows, or null for a key that is not for this. */
export function revealedBy(press: KeyPress, { count, all }: Shown): number | null {
  if (press.ctrlKey || press.metaKey || press.altKey) return null;
  switch (press.shiftKey && press.key === " " ? "PageUp" : press.key) {
    case "ArrowRight":
    case "PageDown":
    case " ":
      return Math.min(all, count + 1);
    case "ArrowLeft":
    case "PageUp":
      return Math.max(0, Math.min(count, all) - 1);
    case "End":
      return all;
    case "Home":
      return 0;
    default:
      return null;
  }
}
