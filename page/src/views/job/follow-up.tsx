// Goes on from an answer: a question of one's own, asked as a job with `previous`. What is typed
// survives a refusal.

import { useSignal } from "@preact/signals";
import { useId, useMemo, useRef } from "preact/hooks";
import { say } from "../../state.ts";
import { t } from "../../strings/index.ts";
import { asks } from "../ask/keys.ts";
import { usePasteLimit } from "../ask/paste-limit.ts";
import { Failure } from "../failure.tsx";
import { asking } from "./asking.ts";
import type { JobModel } from "./model.ts";
import { followUpQuestion } from "./questions.ts";

export function FollowUp({ model }: { model: JobModel }) {
  const words = t().job.followUp;
  const text = useSignal("");
  const isMissing = useSignal(false);
  const pasteLimit = usePasteLimit();
  const next = useMemo(asking, []);
  const [id, field, composedAt] = [useId(), useRef<HTMLTextAreaElement>(null), useRef(-Infinity)];
  if (model.phase.value !== "done" || model.isShared || model.answer.value === "") return null;
  const ask = () => {
    isMissing.value = text.peek().trim() === "";
    if (isMissing.peek()) {
      next.fault.value = null;
      say(words.missing);
      return field.current?.focus();
    }
    void next.ask(followUpQuestion(model.job.info.peek(), text.peek()));
  };
  const press = (event: KeyboardEvent) => {
    const isTouch = matchMedia("(hover: none) and (pointer: coarse)").matches;
    if (!asks(event, "question", { isTouch, composedAt: composedAt.current })) return;
    event.preventDefault();
    ask();
  };
  return (
    <form class="job-follow" noValidate onSubmit={(event) => {
      event.preventDefault();
      ask();
    }}>
      <label for={id}>{words.label}</label>
      <textarea id={id} rows={2} ref={field} value={text.value} placeholder={words.placeholder}
        aria-invalid={isMissing.value} onKeyDown={press}
        onCompositionEnd={(event) => (composedAt.current = event.timeStamp)}
        onInput={(event) => {
          pasteLimit.forget();
          text.value = event.currentTarget.value;
        }}
        onPaste={pasteLimit.take} onDrop={pasteLimit.take} />
      {pasteLimit.problem && <p class="bad">{pasteLimit.problem}</p>}
      <div class="job-row">
        <button class="primary" aria-disabled={next.isBusy.value}>
          {next.isBusy.value ? words.asking : words.button}
        </button>
        {isMissing.value && <p class="bad">{words.missing}</p>}
      </div>
      {next.fault.value && <Failure error={next.fault.value} />}
    </form>
  );
}
