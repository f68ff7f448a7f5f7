// The state of the job in one line that stays on the screen while it is at work: what happens now,
// how long it has taken and will take, *Answer now* and *Stop*. Its height never changes.

import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { box } from "../../state.ts";
import { languageTag, t } from "../../strings/index.ts";
import type { Doing } from "./asking.ts";
import { spanOf } from "./durations.ts";
import type { JobModel } from "./model.ts";
import { canAnswerNow } from "./phase.ts";

export const ANSWER_NOW_NOTE = "answer-now-means";

export interface BarProps { model: JobModel; stopping: Doing; finishing: Doing }

export function StateBar({ model, stopping, finishing }: BarProps) {
  const isBusy = !model.isOver.value && !model.isLost.value;
  const line = useRef<HTMLParagraphElement>(null);
  const keys = useRef<HTMLDivElement>(null);
  // A button that goes takes the focus with it: it moves on to the line that says what came of it.
  const hadFocus = !isBusy && keys.current?.contains(document.activeElement) === true;
  useLayoutEffect(() => {
    if (hadFocus) line.current?.focus({ preventScroll: true });
  }, [isBusy]);
  return (
    <div class={isBusy ? "job-bar job-busy" : "job-bar"}>
      <p class="job-state" tabIndex={-1} ref={line}>{stateText(model)}</p>
      <Times model={model} />
      {isBusy && !model.isShared && (
        <div class="job-keys" ref={keys}>
          <AnswerNow model={model} finishing={finishing} line={line} />
          <Stop model={model} stopping={stopping} />
        </div>
      )}
    </div>
  );
}

function stateText(model: JobModel): string {
  const words = t().job.state;
  if (!model.job.hasRead.value) return t().job.loading;
  if (!model.isOver.value && model.link.value === "gone") return words.gone;
  if (!model.isOver.value && model.link.value === "back") return words.back;
  const { place, attempts_ended: ended, attempts_wanted: wanted, finish } = model.job.info.value;
  const phase = model.phase.value;
  if (phase === "queued") {
    if (box.value?.state === "loading") return words.loadingModel;
    return place !== null && place > 1 ? words.before(place - 1) : words.next;
  }
  if (phase === "others") return words.others(ended, wanted);
  return phase === "done" && finish === "budget" ? words.cut : words[phase];
}

function Times({ model }: { model: JobModel }) {
  const words = t().job;
  if (!model.job.hasRead.value || model.isLost.value) return <p class="job-times quiet" />;
  const elapsed = words.duration(spanOf(model.elapsedS.value));
  const expected = model.expected.value;
  const isGone = model.link.value === "gone";
  return (
    <p class="job-times quiet">
      <span class="job-elapsed">{elapsed}</span>
      {expected && !isGone && <span>{words.expectation(expected)}</span>}
      {model.isOver.value && <Tokens model={model} />}
    </p>
  );
}

function Tokens({ model }: { model: JobModel }) {
  const { figures } = model.job.info.value;
  if (!figures) return null;
  return <span>{t().job.tokens(figures.completion_tokens.toLocaleString(languageTag.value))}</span>;
}

interface AnswerNowProps {
  model: JobModel;
  finishing: Doing;
  line: RefObject<HTMLElement | null>;
}

function AnswerNow({ model, finishing, line }: AnswerNowProps) {
  const words = t().job;
  const isOffered = canAnswerNow(model.phase.value, model.runningS.value);
  const isEnding = finishing.isBusy.value || finishing.isDone.value;
  const button = useRef<HTMLButtonElement>(null);
  // It hides once the answer begins, and would take the focus with it.
  const hadFocus = !isOffered && button.current !== null
    && button.current === document.activeElement;
  useLayoutEffect(() => {
    if (hadFocus) line.current?.focus({ preventScroll: true });
  }, [isOffered]);
  // Its place is kept from the start, so that nothing moves when it comes.
  return (
    <button type="button" ref={button} class={isOffered ? "job-now" : "job-now absent"}
      aria-disabled={isEnding} aria-describedby={ANSWER_NOW_NOTE}
      onClick={() => isEnding || void finishing.run(() => model.job.finish())}>
      {words.answerNow}
    </button>
  );
}

function Stop({ model, stopping }: { model: JobModel; stopping: Doing }) {
  const words = t().job;
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    // Escape finds the button, but does not press it: half an hour of work is not lost by a slip.
    const find = (event: KeyboardEvent) => {
      if (event.key !== "Escape" || event.isComposing || event.defaultPrevented) return;
      button.current?.focus({ preventScroll: true });
    };
    document.addEventListener("keydown", find);
    return () => document.removeEventListener("keydown", find);
  }, []);
  // Until the box has stopped, which may take a step of the model.
  const isStopping = stopping.isBusy.value || stopping.isDone.value;
  return (
    <button type="button" class="job-stop danger" ref={button}
      aria-disabled={isStopping}
      onClick={() => isStopping || void stopping.run(() => model.job.stop())}>
      {isStopping ? words.stopping : words.stop}
    </button>
  );
}
