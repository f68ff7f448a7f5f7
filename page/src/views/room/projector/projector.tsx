// A shared question on a projector: large, and its answer block after block, as a teacher wants to
// talk about it. Shows neither thinking nor votes.

import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { LiveJob } from "../../../jobs/job.ts";
import { t } from "../../../strings/index.ts";
import { Prose } from "../../../text/prose-component.tsx";
import { jobModel } from "../../job/model.ts";
import { Withdrawn, isWithdrawn, useShared } from "../share/shared.tsx";
import { Blocks } from "./blocks.ts";
import { revealedBy } from "./reveal.ts";

export function Projector({ token }: { token: string }) {
  const words = t().room;
  const job = useShared(token);
  useEffect(() => {
    const { classList } = document.documentElement;
    classList.add("big");
    return () => classList.remove("big");
  }, []);
  if (isWithdrawn(job) && !job.hasRead.value) {
    return (
      <main class="projector">
        <h1 class="unseen">{words.projector.label}</h1>
        <Withdrawn />
      </main>
    );
  }
  return (
    <main class="projector">
      <h1 class="unseen">{words.projector.label}</h1>
      {job.hasRead.value
        ? <Slides job={job} />
        : <p class="quiet">{words.shared.loading}</p>}
    </main>
  );
}

function Slides({ job }: { job: LiveJob }) {
  const words = t().room;
  const model = useMemo(() => jobModel(job, true), [job]);
  const shown = useSignal({ count: 0, all: 0 });
  const place = useRef<HTMLDivElement>(null);
  const blocks = useRef<Blocks | null>(null);
  const { question } = job.info.value;
  const text = model.answer.value;

  const reveal = (count: number) => {
    shown.value = { ...shown.peek(), count };
    // Moves the page only as far as the block needs that the key asked for.
    blocks.current?.show(count)?.scrollIntoView({ block: "nearest" });
  };
  useEffect(() => {
    if (!place.current) return undefined;
    const followed = new Blocks(place.current, (all) => {
      shown.value = { ...shown.peek(), all };
    });
    blocks.current = followed;
    const press = (event: KeyboardEvent) => {
      // A button that has the focus is pressed by the space bar itself.
      if (event.key === " " && event.target instanceof HTMLButtonElement) return;
      const count = revealedBy(event, shown.peek());
      if (count === null) return;
      event.preventDefault();
      reveal(count);
    };
    addEventListener("keydown", press);
    return () => {
      removeEventListener("keydown", press);
      followed.end();
    };
  }, []);
  useEffect(() => void (document.title = `solverbox – ${question.slice(0, 40)}`), [question]);
  return (
    <>
      <section class="slide-question" aria-label={words.shared.question}>
        <Prose text={question} isComplete={true} />
      </section>
      <section class="slide-answer" aria-label={words.projector.answer}>
        {text === "" && <p class="quiet">{words.projector.waiting}</p>}
        <div ref={place}>
          <Prose key={job.shownAttempt.value} text={text} isComplete={model.isOver.value} />
        </div>
      </section>
      <Controls count={shown.value.count} all={shown.value.all} reveal={reveal} />
    </>
  );
}

interface ControlsProps { count: number; all: number; reveal(count: number): void }

/** Buttons for a mouse or a finger, and the hint for the keys. */
function Controls({ count, all, reveal }: ControlsProps) {
  const words = t().room.projector;
  const shown = Math.min(count, all);
  return (
    <div class="slide-controls">
      <p class="quiet">{words.hint}</p>
      <button type="button" aria-label={words.back} title={words.back} aria-disabled={shown === 0}
        onClick={() => reveal(Math.max(0, shown - 1))}>
        ←
      </button>
      <span class="slide-place">{words.place(shown, all)}</span>
      <button type="button" aria-label={words.next} title={words.next}
        aria-disabled={shown >= all} onClick={() => reveal(Math.min(all, shown + 1))}>
        →
      </button>
    </div>
  );
}
