// One place of a fixed height under the state line. While the job is at work: that one can leave,
// what *Answer now* means, the votes so far. At its end: the value, typeset and coloured by how far
// the attempts agree; or, in modes without a value, what kind of text follows.

import { Formula } from "../../text/formula-component.tsx";
import { t } from "../../strings/index.ts";
import { Failure } from "../failure.tsx";
import { ANSWER_NOW_NOTE, type BarProps } from "./bar.tsx";
import { spanOf } from "./durations.ts";
import type { JobModel } from "./model.ts";
import { canAnswerNow } from "./phase.ts";
import { plainMath } from "./plain-math.ts";
import { hasValue, verdictOf } from "./verdict.ts";

export function Summary({ model, stopping, finishing }: BarProps) {
  const fault = stopping.fault.value ?? finishing.fault.value;
  const isOver = model.isOver.value;
  const isWaiting = !isOver && !model.isLost.value;
  return (
    <div class="job-summary">
      {isOver && <Result model={model} />}
      {isWaiting && fault && <Failure error={fault} />}
      {isWaiting && !fault && <Notes model={model} isEnding={finishing.isDone.value} />}
    </div>
  );
}

function Notes({ model, isEnding }: { model: JobModel; isEnding: boolean }) {
  const words = t().job;
  if (model.isShared || !model.job.hasRead.value) return null;
  const { votes, attempts_wanted: wanted } = model.job.info.value;
  const mayAnswerNow = canAnswerNow(model.phase.value, model.runningS.value);
  const leading = votes?.votes[0];
  const note = mayAnswerNow ? words.answerNowMeans : words.leave;
  return (
    <>
      {wanted > 1 && (
        <p class="job-tally">
          {leading ? words.soFar(plainMath(leading.value), leading.count) : words.soFarNone}
        </p>
      )}
      <p class="quiet" id={ANSWER_NOW_NOTE}>{isEnding ? words.answeringNow : note}</p>
    </>
  );
}

function Result({ model }: { model: JobModel }) {
  const words = t().job;
  const { mode, attempts_wanted: wanted, votes } = model.job.info.value;
  const value = model.value.value;
  if (model.phase.value === "failed") return null;
  if (value !== "" && hasValue(mode)) return <Value model={model} value={value} />;
  if (model.isHiding.value) {
    return <p>{mode === "review" ? words.answer.reviewNote : words.answer.hintNote}</p>;
  }
  const verdict = verdictOf(votes);
  if (wanted > 1 && hasValue(mode)) return <p>{words.verdict(verdict)}</p>;
  if (model.phase.value !== "done") return null;
  const time = words.duration(spanOf(model.elapsedS.value));
  return <p class="quiet">{words.answer.readyNote(time)}</p>;
}

function Value({ model, value }: { model: JobModel; value: string }) {
  const words = t().job;
  const verdict = verdictOf(model.job.info.value.votes);
  return (
    <div class={`job-value job-level-${verdict.level}`}>
      <p class="job-result">
        <span class="unseen">{words.answer.value}</span>
        <Formula tex={value} />
      </p>
      <p class="job-verdict">
        <strong>{words.level[verdict.level]}</strong>
        <span>{words.verdict(verdict)}</span>
      </p>
    </div>
  );
}
