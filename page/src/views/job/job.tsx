// The view of one job: waiting, thinking, answer, votes, and what to do next. Puts the parts in
// order; each is a file of its own, and model.ts is what they share. Text above never changes its
// height while text below is read.

import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import type { LiveJob } from "../../jobs/job.ts";
import { languageTag, t } from "../../strings/index.ts";
import { Prose } from "../../text/prose-component.tsx";
import { TakeAlong } from "../room/share/take-along.tsx";
import { Actions } from "./actions.tsx";
import { Answer } from "./answer.tsx";
import { doing } from "./asking.ts";
import { StateBar } from "./bar.tsx";
import { Down } from "./down.tsx";
import { Earlier } from "./earlier.tsx";
import { Ending, Lost } from "./ending.tsx";
import { FollowUp } from "./follow-up.tsx";
import { Ladder } from "./ladder-view.tsx";
import { type JobModel, jobModel } from "./model.ts";
import { followPresence } from "./presence.ts";
import { useSettled } from "./settled.ts";
import { Summary } from "./summary.tsx";
import { Thinking } from "./thinking.tsx";
import { Votes } from "./votes.tsx";

interface JobProps {
  job: LiveJob;
  /** Whether it is another browser's job, which can only be read. */
  isShared?: boolean;
}

export function JobView({ job, isShared = false }: JobProps) {
  const model = useMemo(() => jobModel(job, isShared), [job]);
  const stopping = useMemo(doing, [job]);
  const finishing = useMemo(doing, [job]);
  useEffect(() => {
    const end = model.start();
    const leave = followPresence(model);
    return () => {
      leave();
      end();
    };
  }, [model]);
  // Heights that were needed at work stay, so that the end moves nothing.
  const wasLive = useRef(false);
  wasLive.current ||= job.hasRead.value && !model.isOver.value;
  const text = useRef<HTMLDivElement>(null);
  const isSettled = useSettled(text, model).value;
  const isTall = wasLive.current || !isSettled;
  const error = job.linkError.value;
  // What was read stays on the screen, whatever happens to the connection.
  if (error && !job.hasRead.value && job.link.value === "over") {
    return <section class="card job"><Lost model={model} error={error} /></section>;
  }
  const bar = { model, stopping, finishing };
  return (
    <section class={isTall ? "card job job-live" : "card job"} aria-label={t().job.label}>
      <PrintHead model={model} />
      <Earlier model={model} />
      <StateBar {...bar} />
      {error && model.isLost.value && !isShared && <Lost model={model} error={error} />}
      <Summary {...bar} />
      <Thinking model={model} />
      <EarlyTakeAlong model={model} />
      <div ref={text}><Answer model={model} /></div>
      <Down model={model} />
      {isSettled && <AfterAnswer model={model} />}
    </section>
  );
}

/** *Take along* above the answer. When it goes, the focus moves on to the line of the state. */
function EarlyTakeAlong({ model }: { model: JobModel }) {
  const place = useRef<HTMLDivElement>(null);
  const isOffered = mayTakeAlong(model);
  const hadFocus = !isOffered && place.current?.contains(document.activeElement) === true;
  useLayoutEffect(() => {
    if (!hadFocus) return;
    const line = place.current?.closest(".job")?.querySelector<HTMLElement>(".job-state");
    line?.focus({ preventScroll: true });
  }, [isOffered]);
  return (
    <div ref={place}>
      {isOffered && <TakeAlong job={model.job} isOpen={model.isTicketOpen} />}
    </div>
  );
}

/** Whether the question can be taken along above the answer: until a text grows that would push
    it, and as long as the panel is open. */
function mayTakeAlong(model: JobModel): boolean {
  if (model.isTicketOpen.value) return true;
  const isAtWork = !model.isOver.value && !model.isLost.value && !model.isShared;
  return isAtWork && model.answer.value === "" && !model.isThinkingOpen.value;
}

function AfterAnswer({ model }: { model: JobModel }) {
  return (
    <>
      <Ending model={model} />
      <Votes model={model} />
      <Actions model={model} />
      <Ladder model={model} />
      <FollowUp model={model} />
    </>
  );
}

/** Question and date, for paper alone: the screen has them folded above. */
function PrintHead({ model }: { model: JobModel }) {
  const { question, asked_at: askedAt } = model.job.info.value;
  const date = new Date(askedAt * 1000).toLocaleString(languageTag.value);
  return (
    <div class="job-print-head">
      {model.isOver.value && <Prose text={question} isComplete={true} />}
      {askedAt > 0 && <p class="quiet">{t().job.print.asked(date)}</p>}
    </div>
  );
}
