// A problem in the history: its question, or the questions of all its steps, each with its state,
// value and time, to open or to delete.

import type { ListedJob } from "../../api/shapes.ts";
import { forget, unread } from "../../jobs/history.ts";
import { isFinal } from "../../jobs/job.ts";
import type { Problem } from "../../jobs/problems.ts";
import { addressOf, current, go, say } from "../../state.ts";
import { languageTag, t } from "../../strings/index.ts";
import { modeWords } from "../ask/mode-words.ts";
import { Confirm } from "./confirm.tsx";
import { shortTime } from "./when.ts";
import { questionLine, valueLine } from "./wording.ts";

interface EntryProps {
  problem: Problem;
  /** Called when a step was deleted, and the focus with it. */
  deleted: () => void;
}

export function Entry({ problem: { steps }, deleted }: EntryProps) {
  const [only] = steps;
  if (!only) return null;
  if (steps.length === 1) return <li class="card entry"><Step job={only} deleted={deleted} /></li>;
  return (
    <li class="card entry">
      <ol class="steps" aria-label={t().history.steps(steps.length)}>
        {steps.map((job) => <li key={job.id}><Step job={job} deleted={deleted} /></li>)}
      </ol>
    </li>
  );
}

function Step({ job, deleted }: { job: ListedJob; deleted: () => void }) {
  const words = t().history;
  const line = questionLine(job.question);
  const open = (event: MouseEvent) => {
    // With a modifier key the browser opens a tab of its own.
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go({ name: "job", id: job.id });
  };
  const remove = async () => {
    await forget(job.id);
    closeIfOpen(job.id);
    say(words.deleted);
    deleted();
  };
  return (
    <div class="entry-row">
      <a class="entry-open" href={addressOf({ name: "job", id: job.id })} onClick={open}>
        <span class="entry-question" dir="auto">{line}</span>{" "}
        <Facts job={job} />
      </a>
      <Confirm label={words.delete} name={words.deleteThis(line)} yes={words.yes} act={remove}
        question={isFinal(job.state) ? words.reallyDelete : words.reallyDeleteOpen} />
    </div>
  );
}

/** The mode, the state or the value, and the time. */
function Facts({ job }: { job: ListedJob }) {
  const words = t().history;
  const value = valueLine(job);
  const isAnswered = job.state === "done" && value !== "";
  const time = new Date(1_000 * job.asked_at);
  return (
    <span class="facts quiet">
      {unread.value.has(job.id) && <><strong class="is-new">{words.isNew}</strong>{" "}</>}
      <span>{modeWords(job.mode).name}</span>{" "}
      <span class={`state ${job.state}`}>
        {isAnswered ? <b>{words.value(value)}</b> : words.states[job.state]}
      </span>{" "}
      <time dateTime={time.toISOString()}>{shortTime(job.asked_at, languageTag.value)}</time>
    </span>
  );
}

/** Closes a job that was deleted, so that nothing waits for it. */
export function closeIfOpen(id: string | null): void {
  const open = current.peek();
  if (!open || (id !== null && open.id !== id)) return;
  open.close();
  current.value = null;
}
