// Asks a new job out of the view of another: the next hint, a check with more attempts, a follow-up
// question. A press that failed keeps its key, so that pressing again never asks twice.

import { type Signal, signal } from "@preact/signals";
import { BoxError, askJob, newKey } from "../../api/client.ts";
import { asBoxError } from "../../api/error.ts";
import type { Ask } from "../../api/shapes.ts";
import { openJob } from "../../jobs/job.ts";
import { current, go } from "../../state.ts";
import { accepted } from "../ask/submission.ts";

/** One thing that a button has the box do. */
export interface Doing {
  readonly isBusy: Signal<boolean>;
  /** Why it failed the last time. */
  readonly fault: Signal<BoxError | null>;
  /** Whether it was done. */
  readonly isDone: Signal<boolean>;
  /** Does it, unless it is under way; returns whether it succeeded. */
  run(action: () => Promise<void>): Promise<boolean>;
}

export function doing(): Doing {
  const [isBusy, isDone] = [signal(false), signal(false)];
  const fault = signal<BoxError | null>(null);
  const run = async (action: () => Promise<void>) => {
    if (isBusy.peek()) return false;
    isBusy.value = true;
    fault.value = null;
    try {
      await action();
      isDone.value = true;
      return true;
    } catch (error) {
      fault.value = asBoxError(error);
      return false;
    } finally {
      isBusy.value = false;
    }
  };
  return { isBusy, isDone, fault, run };
}

/** Asking new jobs: `ask` shows the job once the box has taken it. */
export interface Asking extends Doing { ask(question: Ask): Promise<boolean> }

export function asking(): Asking {
  const one = doing();
  let sent = { question: "", key: "" };
  const ask = (question: Ask) => one.run(async () => {
    const text = JSON.stringify(question);
    if (sent.question !== text) sent = { question: text, key: newKey() };
    const { id } = await askJob(question, sent.key);
    sent = { question: "", key: "" };
    current.peek()?.close();
    // What is known already need not wait for the box.
    current.value = openJob(id, {
      question: question.question, mode: question.mode ?? "", previous: question.previous ?? null,
      attempt_of_student: question.attempt_of_student ?? null,
    });
    // The view of the new job takes the focus, as it does after the form.
    accepted.value = id;
    go({ name: "job", id });
  });
  return { ...one, ask };
}
