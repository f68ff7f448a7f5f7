// The field for a pupil's own work, with a number before each line: the review cites them. Lines do
// not wrap, so that a number stands at its line; a long one scrolls within the field. What is typed
// survives a reload of the tab.

import { useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import { say } from "../../state.ts";
import { t } from "../../strings/index.ts";
import { asks } from "../ask/keys.ts";
import type { Asking } from "./asking.ts";

const ROWS_MIN = 4;
const ROWS_MAX = 12;

interface WorkProps {
  /** The job that it goes on from: each has a draft of its own. */
  id: string;
  next: Asking;
  send(work: string): Promise<boolean>;
  close(): void;
}

export function WorkField({ id, next, send, close }: WorkProps) {
  const words = t().job.ladder;
  const text = useSignal(kept(id));
  const isMissing = useSignal(false);
  const [fieldId, hintId] = [useId(), useId()];
  const [field, numbers] = [useRef<HTMLTextAreaElement>(null), useRef<HTMLDivElement>(null)];
  useEffect(() => field.current?.focus({ preventScroll: true }), []);
  const lines = text.value.split("\n").length;
  const rows = Math.min(ROWS_MAX, Math.max(ROWS_MIN, lines));
  const take = async () => {
    isMissing.value = text.peek().trim() === "";
    if (isMissing.peek()) {
      say(words.missing);
      return field.current?.focus();
    }
    if (await send(text.peek())) keep(id, "");
  };
  const input = (typed: string) => {
    text.value = typed;
    keep(id, typed);
  };
  const follow = () => {
    if (numbers.current && field.current) numbers.current.scrollTop = field.current.scrollTop;
  };
  return (
    <form class="job-work-form" noValidate onSubmit={(event) => {
      event.preventDefault();
      void take();
    }}>
      <label for={fieldId}>{words.workLabel}</label>
      <p class="quiet" id={hintId}>{words.workHint}</p>
      <div class="job-lines">
        <div class="job-line-numbers" ref={numbers} aria-hidden="true">
          {Array.from({ length: Math.max(rows, lines) }, (_, index) => (
            <div key={index}>{index + 1}</div>
          ))}
        </div>
        <textarea id={fieldId} ref={field} rows={rows} wrap="off" value={text.value}
          aria-describedby={hintId} aria-invalid={isMissing.value} onScroll={follow}
          onKeyDown={(event) => {
            // Enter starts a line; with Ctrl it sends.
            if (!asks(event, "work", { isTouch: true, composedAt: -Infinity })) return;
            event.preventDefault();
            void take();
          }}
          onInput={(event) => input(event.currentTarget.value)} />
      </div>
      <div class="job-row">
        <button class="primary" aria-disabled={next.isBusy.value}>{words.send}</button>
        <button type="button" onClick={close}>{words.cancel}</button>
        {isMissing.value && <p class="bad">{words.missing}</p>}
      </div>
    </form>
  );
}

const key = (id: string) => `work:${id}`;

function kept(id: string): string {
  try {
    return sessionStorage.getItem(key(id)) ?? "";
  } catch {
    return "";
  }
}

function keep(id: string, text: string): void {
  try {
    if (text) sessionStorage.setItem(key(id), text);
    else sessionStorage.removeItem(key(id));
  } catch {
    // It then lives as long as the field.
  }
}
