// The answer itself, as it is written; for a review, each line of the pupil's work with the remarks
// on it. The text itself is the work of text/.

import { Prose } from "../../text/prose-component.tsx";
import { t } from "../../strings/index.ts";
import type { JobModel } from "./model.ts";
import { parseRemarks, studentLines } from "./remarks.ts";

export function Answer({ model }: { model: JobModel }) {
  const words = t().job.answer;
  const text = model.answer.value;
  const isOver = model.isOver.value || model.isLost.value;
  const { mode, attempt_of_student: work } = model.job.info.value;
  if (mode === "review" && work) return <ReviewedWork model={model} work={work} />;
  return (
    <section class="job-answer" aria-label={words.label}>
      {/* Another attempt's answer is another text, not a change of this one. */}
      <Prose key={model.job.shownAttempt.value} text={text} isComplete={isOver} />
      {isOver && text === "" && model.phase.value === "done" && <p>{words.empty}</p>}
    </section>
  );
}

function ReviewedWork({ model, work }: { model: JobModel; work: string }) {
  const words = t().job.answer;
  const isOver = model.isOver.value || model.isLost.value;
  const lines = studentLines(work);
  const numbers = lines.map(({ number }) => number);
  const { byLine, below } = parseRemarks(model.answer.value, numbers, isOver);
  return (
    <section class="job-answer" aria-label={words.label}>
      <h2>{words.yourWork}</h2>
      <ol class="job-work">
        {lines.map(({ number, text }) => {
          const remark = byLine.get(number);
          return (
            <li key={number} value={number} class={remark ? "job-remarked" : ""}>
              <span class="job-number" aria-hidden="true">{number}</span>
              <span class="unseen">{words.line(number)}</span>
              <div class="job-line">{text}</div>
              <div class="job-remark">{remark && <Prose text={remark} isComplete={isOver} />}</div>
            </li>
          );
        })}
      </ol>
      {below && byLine.size > 0 && <h2>{words.moreRemarks}</h2>}
      <Prose text={below} isComplete={isOver} />
    </section>
  );
}
