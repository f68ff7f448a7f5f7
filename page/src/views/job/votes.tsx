// The votes as bars: each answer with its share of the attempts, and the attempts that gave it, to
// open. Also offers to check a lone attempt by asking again. Only for modes whose answers have a
// value; shown once the vote is over, because the summary tells the votes so far.

import { useSignal } from "@preact/signals";
import { useEffect, useId, useMemo } from "preact/hooks";
import { getEstimate } from "../../api/client.ts";
import { modes } from "../../state.ts";
import { t } from "../../strings/index.ts";
import { Formula } from "../../text/formula-component.tsx";
import { offered } from "../ask/modes.ts";
import { Failure } from "../failure.tsx";
import { asking } from "./asking.ts";
import { AttemptText } from "./attempt.tsx";
import { type Expectation, expectationOf } from "./durations.ts";
import type { JobModel } from "./model.ts";
import { CHECK_ATTEMPTS, checkQuestion } from "./questions.ts";
import { type VoteRow, hasValue, rowsOf, verdictOf } from "./verdict.ts";

export function Votes({ model }: { model: JobModel }) {
  const words = t().job.votes;
  const { votes, mode, attempts_wanted: wanted, attempt_results: results } = model.job.info.value;
  if (!model.isOver.value || !hasValue(mode)) return null;
  if (!votes || wanted < 2) return <Check model={model} />;
  const rows = rowsOf(votes, results.map(({ attempt }) => attempt));
  if (rows.length === 0) return null;
  const { level } = verdictOf(votes);
  return (
    <section class="job-votes" aria-label={words.label}>
      <h2>{words.label}</h2>
      <ul>
        {rows.map((row, index) => (
          <Row key={row.value ?? ""} model={model} row={row} ended={votes.ended}
            level={index === 0 && row.value !== null ? level : "guess"} />
        ))}
      </ul>
    </section>
  );
}

interface RowProps { model: JobModel; row: VoteRow; ended: number; level: string }

function Row({ model, row, ended, level }: RowProps) {
  const words = t().job.votes;
  const isOpen = useSignal(false);
  const id = useId();
  return (
    <li class={`job-vote job-level-${level}`}>
      <button type="button" class="job-vote-line opener" aria-expanded={isOpen.value}
        aria-controls={id} onClick={() => (isOpen.value = !isOpen.value)}>
        <span class="job-vote-value">
          {row.value === null ? words.noValue : <Formula tex={row.value} />}
        </span>
        <span class="job-track" aria-hidden="true">
          <span class="job-share" style={{ width: `${Math.round(100 * row.share)}%` }} />
        </span>
        <span class="quiet">{words.open(row.attempts.length, ended)}</span>
      </button>
      <div id={id} hidden={!isOpen.value}>
        {isOpen.value && <Attempts model={model} attempts={row.attempts} />}
      </div>
    </li>
  );
}

function Attempts({ model, attempts }: { model: JobModel; attempts: number[] }) {
  const words = t().job;
  const open = useSignal<number | null>(null);
  const { shownAttempt } = model.job;
  return (
    <>
      <div class="job-chooser" role="group" aria-label={words.votes.list}>
        {attempts.map((attempt) => (
          <button type="button" key={attempt} aria-pressed={open.value === attempt}
            onClick={() => (open.value = open.value === attempt ? null : attempt)}>
            {words.thinking.attempt(attempt + 1)}
            {attempt === shownAttempt.value && <small>{` (${words.votes.isShown})`}</small>}
          </button>
        ))}
      </div>
      {open.value !== null && (
        <AttemptText key={open.value} model={model} attempt={open.value}
          fold={() => (open.value = null)} />
      )}
    </>
  );
}

/** Offers to ask again with attempts that vote, and says that this is what it does. */
function Check({ model }: { model: JobModel }) {
  const words = t().job.check;
  const again = useMemo(asking, []);
  const expected = useSignal<Expectation | null>(null);
  const job = model.job.info.value;
  const mode = offered(modes.value).find(({ name }) => name === job.mode);
  const isOffered = mode?.votes === true && model.phase.value === "done"
    && !model.isShared && model.answer.value !== "";
  useEffect(() => {
    if (!isOffered) return;
    // A box that is busy or gone says so elsewhere.
    getEstimate(job.mode, CHECK_ATTEMPTS).then(
      ({ eta }) => (expected.value = eta && expectationOf(eta, 0)), () => {});
  }, [isOffered]);
  if (!isOffered) return null;
  return (
    <div class="job-check">
      <button type="button" aria-disabled={again.isBusy.value}
        onClick={() => void again.ask(checkQuestion(job))}>
        {words.button}
      </button>
      <p class="quiet">
        {words.means} {expected.value && words.time(t().job.expectation(expected.value))}
      </p>
      {again.fault.value && <Failure error={again.fault.value} />}
    </div>
  );
}
