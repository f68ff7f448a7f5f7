// Sends the draft once. A second press while the first is on its way does nothing; a retry after a
// lost reply carries the same key, so that the box returns the job it has already made; a refusal
// with a delay blocks the button until the delay is over. Knows no elements and no routes.

import { signal } from "@preact/signals";
import type { AcceptedJob, Ask, ErrorKind, Mode } from "../../api/shapes.ts";
import { type Draft, draft, dropKey, forgetDraft, isSending, keyOfDraft } from "./draft.ts";

/** Largest budget that the box accepts, in tokens. */
export const BUDGET_TOKENS_MAX = 131_072;

/** Most characters of a text that the box can accept. It drops the connection on far longer ones,
    so that its refusal would be lost. */
export const SENT_CHARS_MAX = 512 << 10;

/** The part of the form that lacks something. */
export type Missing = "question" | "work" | "budget";

export type Submission =
  | { state: "ready" }
  | { state: "asking" }
  | { state: "missing"; what: Missing }
  /** `againAt` is a time of `Box.now`, or null where the button works at once. */
  | { state: "refused"; kind: ErrorKind; againAt: number | null };

/** What sending needs of the world. */
export interface Box {
  ask(request: Ask, key: string): Promise<AcceptedJob>;
  newKey(): string;
  /** Milliseconds that never go back. */
  now(): number;
}

export const submission = signal<Submission>({ state: "ready" });
/** The job that was accepted last, until the view that follows the form has taken the focus. */
export const accepted = signal<string | null>(null);

/** Returns what the draft asks in a mode, or the name of what is missing. */
export function requestOf(typed: Draft, mode: Mode): Ask | Missing {
  const question = typed.question.trim();
  const work = typed.work.trim();
  const budget = typed.budget.trim();
  if (!question) return "question";
  if (mode.student_attempt && !work) return "work";
  const request: Ask = { question, mode: mode.name };
  if (mode.votes && typed.attempts !== null) request.attempts = typed.attempts;
  if (budget) {
    const tokens = /^\d{1,6}$/.test(budget) ? Number(budget) : 0;
    if (tokens < 1 || tokens > BUDGET_TOKENS_MAX) return "budget";
    request.budget_tokens = tokens;
  }
  if (typed.previous) request.previous = typed.previous;
  if (mode.student_attempt) request.attempt_of_student = work;
  return request;
}

/** Sends the draft; returns the ID of the accepted job, or null after noting in `submission` why
    there is none. */
export async function submit(box: Box, mode: Mode): Promise<string | null> {
  const before = submission.peek();
  if (before.state === "asking") return null;
  if (before.state === "refused" && (before.againAt ?? 0) > box.now()) return null;
  const request = requestOf(draft.peek(), mode);
  if (typeof request === "string") {
    submission.value = { state: "missing", what: request };
    return null;
  }
  if (request.question.length + (request.attempt_of_student ?? "").length > SENT_CHARS_MAX) {
    submission.value = { state: "refused", kind: "too_long", againAt: null };
    return null;
  }
  isSending.value = true;
  submission.value = { state: "asking" };
  try {
    const { id } = await box.ask(request, keyOfDraft(box.newKey));
    submission.value = { state: "ready" };
    forgetDraft();
    accepted.value = id;
    return id;
  } catch (error) {
    submission.value = refusal(error, box.now());
    return null;
  } finally {
    isSending.value = false;
  }
}

/** Takes back a complaint about the draft once it changes; a delay goes on. */
export function noteEdit(): void {
  const { state, againAt } = { againAt: null, ...submission.peek() };
  const isOver = state === "missing" || (state === "refused" && againAt === null);
  if (isOver) submission.value = { state: "ready" };
}

function refusal(error: unknown, now: number): Submission {
  const { kind, retryAfterMs } = error as { kind?: ErrorKind; retryAfterMs?: number | null };
  // A fault of the page itself is for the console and its reader, too.
  if (!kind) console.error(error);
  // The key belongs to another question: this one was changed on the way, or by another page.
  if (kind === "conflict") dropKey();
  const againAt = retryAfterMs ? now + retryAfterMs : null;
  return { state: "refused", kind: kind ?? "nonsense", againAt };
}
