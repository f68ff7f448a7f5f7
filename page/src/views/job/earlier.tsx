// What came before this question: the problem that it goes on from, in one line, which opens to the
// earlier questions and answers. Their boxed values are hidden as long as those of this one.

import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import type { Job } from "../../api/shapes.ts";
import { t } from "../../strings/index.ts";
import { Prose } from "../../text/prose-component.tsx";
import { withoutBoxes } from "../../text/value.ts";
import { oneLine } from "../ask/one-line.ts";
import { isLearning } from "./ladder.ts";
import type { JobModel } from "./model.ts";

export function Earlier({ model }: { model: JobModel }) {
  const words = t().job;
  const isOpen = useSignal(false);
  const id = useId();
  const { previous, mode, question } = model.job.info.value;
  if (previous === null || model.isShared) return null;
  const before = model.before.value;
  const first = before?.[0];
  // Gone, or another browser's: then there is nothing to show.
  if (before !== null && !first) return null;
  const line = first ? oneLine(first.question) : "…";
  let label = isLearning(mode) ? words.problem(line) : words.earlier(line);
  // The problem stands above already.
  if (before && first?.question === question) label = words.earlierSteps(before.length);
  return (
    <div class="job-earlier">
      <button type="button" class="job-earlier-line opener" aria-expanded={isOpen.value}
        aria-controls={id} disabled={!first} onClick={() => (isOpen.value = !isOpen.value)}>
        <span>{label}</span>
      </button>
      <div id={id} hidden={!isOpen.value}>
        {isOpen.value && before?.map((job) => (
          <EarlierJob key={job.id} job={job} isHiding={model.isHiding.value} />
        ))}
      </div>
    </div>
  );
}

function EarlierJob({ job, isHiding }: { job: Job; isHiding: boolean }) {
  const words = t().job;
  const answer = isHiding ? withoutBoxes(job.answer) : job.answer;
  return (
    <article class="job-earlier-job">
      <Prose class="job-earlier-question" text={job.question} isComplete={true} />
      {job.attempt_of_student !== null && <p class="as-typed">{job.attempt_of_student}</p>}
      <h3>{words.earlierAnswer}</h3>
      {answer === "" && <p class="quiet">{words.noEarlierAnswer}</p>}
      <Prose text={answer} isComplete={true} />
    </article>
  );
}
