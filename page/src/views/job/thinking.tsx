// The thinking: one line with its newest sentence, which opens to the whole and stays open until it
// is folded, also when the answer comes. Of several attempts it is the shown one's, and the others
// can be chosen. Hidden where it would give the solution away.

import { useSignal } from "@preact/signals";
import { useId, useMemo } from "preact/hooks";
import { languageTag, t } from "../../strings/index.ts";
import { Failure } from "../failure.tsx";
import { doing } from "./asking.ts";
import { spanOf } from "./durations.ts";
import { LongProse } from "./long-prose.tsx";
import type { JobModel } from "./model.ts";
import { newestLine } from "./newest.ts";

export function Thinking({ model }: { model: JobModel }) {
  const words = t().job.thinking;
  const { job, isThinkingOpen: isOpen } = model;
  const id = useId();
  void job.revision.value;
  const text = job.text(job.shownAttempt.value, "thinking");
  const isHidden = model.isHiding.value;
  const canOpen = !isHidden && text !== "";
  if (!canOpen) {
    return (
      <p class="job-thinking-line">
        <span class="job-thinking-label">{words.label}</span>
        <span class="job-newest quiet">{noText(model)}</span>
        <Figures model={model} />
      </p>
    );
  }
  return (
    <>
      <button type="button" class="job-thinking-line opener" aria-expanded={isOpen.value}
        aria-controls={id} onClick={() => (isOpen.value = !isOpen.value)}>
        <span class="job-thinking-label">{words.label}</span>
        {/* It changes ten times a second: a name of a button must not. */}
        <span class="job-newest quiet" aria-hidden="true">{newestLine(text)}</span>
        <Figures model={model} />
      </button>
      <div id={id} hidden={!isOpen.value}>{isOpen.value && <Whole model={model} />}</div>
    </>
  );
}

/** Says why there is no thinking to show. */
function noText(model: JobModel): string {
  const words = t().job.thinking;
  if (model.isHiding.value) return words.hidden;
  if (model.phase.value === "queued") return model.job.hasRead.value ? words.notYet : "";
  return model.isOver.value ? words.none : "";
}

function Figures({ model }: { model: JobModel }) {
  const words = t().job;
  const { figures } = model.job.info.value;
  const tokens = figures?.thinking_tokens ?? model.job.tokens.value;
  const seconds = model.thoughtS.value;
  return (
    <span class="job-figures quiet">
      {tokens > 0 && <span>{words.tokens(tokens.toLocaleString(languageTag.value))}</span>}
      {seconds > 0 && <span>{words.duration(spanOf(seconds))}</span>}
    </span>
  );
}

function Whole({ model }: { model: JobModel }) {
  const words = t().job.thinking;
  const { job } = model;
  const chosen = useSignal<number | null>(null);
  const loading = useMemo(doing, []);
  const attempt = chosen.value ?? job.shownAttempt.value;
  const wanted = job.info.value.attempts_wanted;
  const choose = (index: number) => {
    chosen.value = index;
    if (!job.holds(index)) void loading.run(() => job.loadAll());
  };
  void job.revision.value;
  const text = job.text(attempt, "thinking");
  const isComplete = model.isOver.value || model.isLost.value
    || job.text(attempt, "answer") !== "";
  return (
    <section class={isComplete ? "job-thoughts" : "job-thoughts job-growing"}
      aria-label={words.shown}>
      {wanted > 1 && <Chooser wanted={wanted} attempt={attempt} choose={choose} />}
      {loading.fault.value && <Failure error={loading.fault.value} />}
      {loading.isBusy.value && <p class="quiet">{words.loading}</p>}
      {text === "" && !loading.isBusy.value && <p class="quiet">{words.empty}</p>}
      <LongProse key={attempt} text={text} isComplete={isComplete} />
      <button type="button" class="job-fold" onClick={() => (model.isThinkingOpen.value = false)}>
        {words.fold}
      </button>
    </section>
  );
}

interface ChooserProps { wanted: number; attempt: number; choose(index: number): void }

function Chooser({ wanted, attempt, choose }: ChooserProps) {
  const words = t().job.thinking;
  const all = Array.from({ length: wanted }, (_, index) => index);
  return (
    <div class="job-chooser" role="group" aria-label={words.attempts}>
      {all.map((index) => (
        <button type="button" key={index} aria-pressed={index === attempt}
          onClick={() => choose(index)}>
          {words.attempt(index + 1)}
        </button>
      ))}
    </div>
  );
}
