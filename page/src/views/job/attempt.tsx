// One attempt of a vote, opened: its answer, and its thinking folded. Its texts are read from the
// box when it is opened first.

import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { Prose } from "../../text/prose-component.tsx";
import { t } from "../../strings/index.ts";
import { Failure } from "../failure.tsx";
import { doing } from "./asking.ts";
import { LongProse } from "./long-prose.tsx";
import type { JobModel } from "./model.ts";

interface AttemptProps { model: JobModel; attempt: number; fold(): void }

export function AttemptText({ model, attempt, fold }: AttemptProps) {
  const words = t().job;
  const { job } = model;
  const isOpen = useSignal(false);
  const loading = useMemo(doing, []);
  const load = () => void loading.run(() => job.loadAll());
  useEffect(() => {
    if (!job.holds(attempt)) load();
  }, []);
  void job.revision.value;
  const [thinking, answer] = [job.text(attempt, "thinking"), job.text(attempt, "answer")];
  if (loading.isBusy.value) return <p class="quiet">{words.thinking.loading}</p>;
  if (loading.fault.value) return <Failure error={loading.fault.value} again={load} />;
  return (
    <div class="job-attempt">
      {answer === "" && <p class="quiet">{words.thinking.empty}</p>}
      <Prose text={answer} isComplete={true} />
      {thinking && (
        <button type="button" aria-expanded={isOpen.value}
          onClick={() => (isOpen.value = !isOpen.value)}>
          {isOpen.value ? words.votes.foldThinking : words.votes.thinking}
        </button>
      )}
      {isOpen.value && <LongProse text={thinking} isComplete={true} />}
      <button type="button" class="job-fold" onClick={fold}>{words.votes.fold(attempt + 1)}</button>
    </div>
  );
}
