// Which answers of this browser have not been seen yet: the ids of questions that were unfinished
// when the page last knew of them. Only ids are stored, and only in this browser; without storage
// they are kept until the page is closed.

import { signal } from "@preact/signals";

const KEY = "unread";
/** The oldest are dropped: a person with that many misses none. */
const IDS_MAX = 200;

function stored(): Set<string> {
  try {
    const ids: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    if (Array.isArray(ids)) return new Set(ids.filter((id) => typeof id === "string"));
  } catch {
    // No storage, or not our own text.
  }
  return new Set();
}

/** Ids of questions whose answers nobody has seen; some have no answer yet. */
export const expected = signal<ReadonlySet<string>>(stored());

function keep(ids: Set<string>): void {
  expected.value = ids;
  try {
    localStorage.setItem(KEY, JSON.stringify([...ids].slice(-IDS_MAX)));
  } catch {
    // Kept in memory.
  }
}

/** Notes that an answer will come, which is new until it is seen. */
export function expectAnswer(id: string): void {
  if (!expected.peek().has(id)) keep(new Set([...expected.peek(), id]));
}

/** Notes that an answer was seen, or is gone. */
export function markRead(id: string): void {
  if (!expected.peek().has(id)) return;
  const ids = new Set(expected.peek());
  ids.delete(id);
  keep(ids);
}

export function markAllRead(): void {
  if (expected.peek().size > 0) keep(new Set());
}

// Another tab of this browser changed them. Tests import this file where there is no window.
if (typeof addEventListener === "function") {
  addEventListener("storage", ({ key }) => {
    if (key === KEY || key === null) expected.value = stored();
  });
}
