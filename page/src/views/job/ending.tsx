// How a job ended that did not simply end well: cut off, stopped, failed, empty. In a pupil's
// words, each with a way out. A job that cannot be read at all is here too.

import { useMemo } from "preact/hooks";
import type { BoxError } from "../../api/client.ts";
import { go, reask } from "../../state.ts";
import { t } from "../../strings/index.ts";
import { Failure } from "../failure.tsx";
import { asking } from "./asking.ts";
import type { JobModel } from "./model.ts";
import { longerQuestion, sameQuestion } from "./questions.ts";

export function Ending({ model }: { model: JobModel }) {
  const words = t().job.ending;
  const errors = t().client.errors;
  const { finish, figures, error } = model.job.info.value;
  const phase = model.phase.value;
  if (!model.isOver.value) return null;
  if (phase === "failed") {
    return (
      <div class="job-ending">
        <p>{error ? `${errors[error.kind].what} ${errors[error.kind].remedy}` : words.failed}</p>
      </div>
    );
  }
  if (phase === "stopped") return <p class="job-ending">{words.stopped}</p>;
  if (finish === "budget") return <CutOff model={model} text={words.budget} />;
  if (model.answer.value === "") return <p class="job-ending">{words.emptyHelps}</p>;
  if (figures?.thinking_was_cut_off) return <CutOff model={model} text={words.thinkingCut} />;
  return null;
}

function CutOff({ model, text }: { model: JobModel; text: string }) {
  const longer = useMemo(asking, []);
  const question = longerQuestion(model.job.info.value);
  return (
    <div class="job-ending">
      <p>{text}</p>
      {question && !model.isShared && (
        <button type="button" aria-disabled={longer.isBusy.value}
          onClick={() => void longer.ask(question)}>
          {t().job.ending.longer}
        </button>
      )}
      {longer.fault.value && <Failure error={longer.fault.value} />}
    </div>
  );
}

/** Stands for a job that the box does not have, or not for this browser. */
export function Lost({ model, error }: { model: JobModel; error: BoxError }) {
  const words = t().job.fault;
  const job = model.job.info.value;
  return (
    <>
      <Failure error={error} />
      <div class="job-row">
        {job.question !== "" && (
          <button type="button" onClick={() => askAgain(model)}>{words.askSame}</button>
        )}
        <button type="button" onClick={() => go({ name: "history" })}>{words.toHistory}</button>
        <button type="button" onClick={() => go({ name: "ask" })}>{words.askNew}</button>
      </div>
    </>
  );
}

/** Hands the question back to the form, to be changed or asked again. */
export function askAgain(model: JobModel): void {
  reask.value = sameQuestion(model.job.info.peek());
  go({ name: "ask" });
}
