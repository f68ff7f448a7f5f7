// What a field of the limits means, and how a limit stands in it. Pure.

/** Largest limit that the box takes (src/types/limits.rs). */
export const LIMIT_MAX = 1_024;

/** Returns the number typed, or what it is instead. */
export function limitOf(text: string): number | "empty" | "wrong" {
  const typed = text.trim();
  if (typed === "") return "empty";
  const number = /^\d{1,6}$/.test(typed) ? Number(typed) : 0;
  return number >= 1 && number <= LIMIT_MAX ? number : "wrong";
}

/** Returns a limit as it is typed; nothing for one that does not limit. */
export function shownLimit(limit: number | null): string {
  return limit !== null && limit <= LIMIT_MAX ? String(limit) : "";
}
