// What has been typed and not been accepted yet. Kept in the tab's storage, so that a reload, an
// error or a refusal loses no word; a tab has a draft of its own, and a closed browser keeps none
// for the next person. The chosen mode is remembered longer. Storage may be absent: then the draft
// lives as long as the page.

import { signal } from "@preact/signals";

export interface Draft {
  question: string;
  /** The pupil's own work, for modes that read it. */
  work: string;
  /** Null means the mode remembered or the default one. */
  mode: string | null;
  /** Null means the mode's own number. */
  attempts: number | null;
  /** As typed; empty means the mode's own budget. */
  budget: string;
  /** The job that the question goes on from. */
  previous: string | null;
  /** Idempotency key under which exactly this draft was sent, until the box accepts it or the draft
      changes: one key stands for one question. */
  key: string | null;
}

const DRAFT_KEY = "solverbox-draft";
const MODE_KEY = "solverbox-mode";
const SAVE_AFTER_MS = 400;
/** Longest text that is kept; browsers give 5 million characters to all that a page stores. */
const KEPT_CHARS_MAX = 1_000_000;

const EMPTY: Draft = {
  question: "", work: "", mode: null, attempts: null, budget: "", previous: null, key: null,
};

export const draft = signal<Draft>(read());
/** A draft whose text something else replaced, to bring back. */
export const replaced = signal<Draft | null>(null);

/** Whether the draft is on its way to the box. It does not change then: the reply, or a retry, must
    be about the question that was sent. */
export const isSending = signal(false);

let saving: ReturnType<typeof setTimeout> | undefined;

/** Changes the draft. It then is another question: the next attempt to send it gets a new key. */
export function edit(change: Partial<Omit<Draft, "key">>): void {
  if (isSending.peek()) return;
  draft.value = { ...draft.peek(), ...change, key: null };
  if (change.mode) remember(change.mode);
  clearTimeout(saving);
  saving = setTimeout(saveNow, SAVE_AFTER_MS);
}

/** Puts other text into the form; `bringBack` returns what a person had typed. */
export function replace(change: Partial<Omit<Draft, "key">>): void {
  const { question, work } = draft.peek();
  const isTyped = question.trim() !== "" || work.trim() !== "";
  replaced.value = isTyped && question !== change.question ? draft.peek() : null;
  edit(change);
}

export function bringBack(): void {
  if (!replaced.peek()) return;
  const { key: _, ...change } = replaced.peek() as Draft;
  replaced.value = null;
  edit(change);
}

/** Returns the key to send the draft under: that of the last time if nothing has changed. It is
    stored before it is used, because the page may be closed before the reply comes. */
export function keyOfDraft(newKey: () => string): string {
  const key = draft.peek().key ?? newKey();
  draft.value = { ...draft.peek(), key };
  saveNow();
  return key;
}

/** Has the next attempt to send the draft use a new key, because another question has this one. */
export function dropKey(): void {
  draft.value = { ...draft.peek(), key: null };
  saveNow();
}

/** Empties the form: its question was accepted, or a new person is at the kiosk. */
export function forgetDraft(): void {
  clearTimeout(saving);
  draft.value = { ...EMPTY, mode: remembered() };
  replaced.value = null;
  attempt(() => sessionStorage.removeItem(DRAFT_KEY));
}

/** Stores the draft at once. */
export function saveNow(): void {
  clearTimeout(saving);
  const { question, work } = draft.peek();
  const isKept = question.length + work.length <= KEPT_CHARS_MAX;
  const stored = isKept && attempt(() => {
    sessionStorage.setItem(DRAFT_KEY, JSON.stringify(draft.peek()));
    return true;
  });
  // An older version of the text would be worse than none.
  if (!stored) attempt(() => sessionStorage.removeItem(DRAFT_KEY));
}

function read(): Draft {
  const stored: unknown = attempt(() => JSON.parse(sessionStorage.getItem(DRAFT_KEY) ?? "null"));
  const fields = (typeof stored === "object" && stored !== null ? stored : {}) as Partial<Draft>;
  const found = { ...EMPTY, mode: remembered() };
  for (const name of ["question", "work", "budget"] as const) {
    const text = fields[name];
    if (typeof text === "string") found[name] = text;
  }
  for (const name of ["mode", "previous", "key"] as const) {
    const text = fields[name];
    if (typeof text === "string") found[name] = text;
  }
  if (typeof fields.attempts === "number") found.attempts = fields.attempts;
  return found;
}

function remembered(): string | null {
  return attempt(() => localStorage.getItem(MODE_KEY)) ?? null;
}

function remember(mode: string): void {
  attempt(() => localStorage.setItem(MODE_KEY, mode));
}

/** Runs what uses storage, which browsers may refuse by throwing. */
function attempt<T>(use: () => T): T | undefined {
  try {
    return use();
  } catch {
    return undefined;
  }
}
