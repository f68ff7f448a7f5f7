// The steps of learning under a hint or a review, each a button and a job with `previous`: hint,
// next hint, check my work, full solution. ladder.ts has the rules.

import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { Mode } from "../../api/shapes.ts";
import { modes } from "../../state.ts";
import { t } from "../../strings/index.ts";
import { offered } from "../ask/modes.ts";
import { Failure } from "../failure.tsx";
import { type Asking, asking } from "./asking.ts";
import { type Rung, type Step, isLearning, rungsOf } from "./ladder.ts";
import type { JobModel } from "./model.ts";
import { hintQuestion, reviewQuestion, solutionQuestion } from "./questions.ts";
import { WorkField } from "./work.tsx";

export function Ladder({ model }: { model: JobModel }) {
  const words = t().job.ladder;
  const next = useMemo(asking, []);
  const open = useSignal<"check" | "solution" | null>(null);
  const job = model.job.info.value;
  const before = model.before.value;
  const isReady = model.phase.value === "done" && before !== null && !model.isShared;
  if (!isReady || !isLearning(job.mode) || model.answer.value === "") return null;
  const able = offered(modes.value).filter((mode) => mode.is_supported);
  const chain = [...before, job].map(({ mode }) => mode);
  const problem = before[0]?.question ?? job.question;
  const solver = solverOf(able);
  const showSolution = () => {
    if (solver) void next.ask(solutionQuestion(job, problem, solver));
  };
  const take = (step: Step) => {
    if (step === "hint") void next.ask(hintQuestion(job, words.askHint));
    if (step === "nextHint") void next.ask(hintQuestion(job, words.askNextHint));
    if (step === "check") open.value = open.value === "check" ? null : "check";
    // Asked only while there is something left to find out.
    if (step === "solution" && model.isHiding.peek()) open.value = "solution";
    else if (step === "solution") showSolution();
  };
  return (
    <section class="job-ladder" aria-label={words.label}>
      <h2>{words.label}</h2>
      <ol>
        {rungsOf(chain, able.map(({ name }) => name)).map((rung) => (
          <RungView key={rung.step} rung={rung} next={next} isOpen={open.value === rung.step}
            take={() => take(rung.step)} />
        ))}
      </ol>
      {open.value === "solution" && (
        <Really next={next} yes={showSolution} no={() => (open.value = null)} />
      )}
      {open.value === "check" && (
        <WorkField id={job.id} next={next} close={() => (open.value = null)}
          send={(work) => next.ask(reviewQuestion(job, problem, work))} />
      )}
      {next.fault.value && <Failure error={next.fault.value} />}
    </section>
  );
}

/** Returns the mode that shows full solutions: the box's default, unless that is a hint itself. */
function solverOf(able: Mode[]): Mode | undefined {
  const solving = able.filter(({ name }) => !isLearning(name));
  return solving.find(({ is_default }) => is_default) ?? solving[0];
}

interface RungProps { rung: Rung; next: Asking; isOpen: boolean; take(): void }

function RungView({ rung, next, isOpen, take }: RungProps) {
  const words = t().job.ladder;
  const { step, standing } = rung;
  const notes = { open: words.about[step], done: words.done, later: words.later,
    missing: t().ask.needsModel };
  const opens = step === "check" || step === "solution";
  return (
    <li>
      <button type="button" class={`job-rung job-rung-${standing}`}
        aria-expanded={opens && standing === "open" ? isOpen : undefined}
        disabled={standing !== "open"} aria-disabled={next.isBusy.value} onClick={take}>
        <span class="job-rung-name">{words.steps[step]}</span>
        <span class="job-rung-note">{notes[standing]}</span>
      </button>
    </li>
  );
}

function Really({ next, yes, no }: { next: Asking; yes(): void; no(): void }) {
  const words = t().job.ladder;
  const button = useRef<HTMLButtonElement>(null);
  // The careful answer has the focus.
  useEffect(() => button.current?.focus({ preventScroll: true }), []);
  return (
    <div class="job-really" role="group" aria-label={words.really}>
      <p>{words.really}</p>
      <div class="job-row">
        <button type="button" ref={button} onClick={no}>{words.no}</button>
        <button type="button" aria-disabled={next.isBusy.value} onClick={yes}>{words.yes}</button>
      </div>
    </div>
  );
}
