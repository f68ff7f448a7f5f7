// The form once its question is asked: one line, which opens to the whole question. The answer
// below it needs the screen.

import { useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import type { Job } from "../../api/shapes.ts";
import type { LiveJob } from "../../jobs/job.ts";
import { go, modes } from "../../state.ts";
import { t } from "../../strings/index.ts";
import { LazyProse } from "./lazy-prose.tsx";
import { modeWords } from "./mode-words.ts";
import { offered } from "./modes.ts";
import { oneLine } from "./one-line.ts";
import { accepted } from "./submission.ts";

export function FoldedQuestion({ job }: { job: LiveJob }) {
  const words = t().ask.folded;
  const isOpen = useSignal(false);
  const id = useId();
  const line = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    // The form had the focus and is gone; the keyboard goes on here.
    if (accepted.peek() !== job.id) return;
    accepted.value = null;
    line.current?.focus({ preventScroll: true });
  }, []);
  const asked = job.info.value;
  return (
    <section class="card folded" aria-label={words.label}>
      <div class="folded-row">
        <button type="button" ref={line} class="folded-line opener" aria-expanded={isOpen.value}
          aria-controls={id} title={isOpen.value ? words.hide : words.show}
          onClick={() => (isOpen.value = !isOpen.value)}>
          <span>{oneLine(asked.question)}</span>
        </button>
        <button type="button" class="new-question" onClick={() => go({ name: "ask" })}>
          {words.newQuestion}
        </button>
      </div>
      <div id={id} class="folded-whole" hidden={!isOpen.value}>
        {isOpen.value && <Whole asked={asked} />}
      </div>
    </section>
  );
}

function Whole({ asked }: { asked: Job }) {
  const words = t().ask;
  const about = offered(modes.value).find(({ name }) => name === asked.mode)?.about;
  const mode = modeWords(asked.mode, about);
  return (
    <>
      <LazyProse text={asked.question} />
      {asked.attempt_of_student !== null && (
        <>
          <h2>{words.work}</h2>
          <LazyProse text={asked.attempt_of_student} />
        </>
      )}
      <p class="quiet">
        {words.folded.mode(mode.name, asked.attempts_wanted)}
      </p>
    </>
  );
}
