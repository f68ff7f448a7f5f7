// A small button that stands at the lower edge when new text came below the screen, and goes to its
// end. The page itself never scrolls: a reader further up stays there.

import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { t } from "../../strings/index.ts";
import type { JobModel } from "./model.ts";

/** Marks the end of the text that grows; has to stand right after it. */
export function Down({ model }: { model: JobModel }) {
  const words = t().job;
  const end = useRef<HTMLDivElement>(null);
  const isBelow = useRef(false);
  const hasNew = useSignal(false);
  useEffect(() => {
    const observer = new IntersectionObserver((entries) => {
      const last = entries[entries.length - 1];
      isBelow.current = !!last && !last.isIntersecting && last.boundingClientRect.top > 0;
      if (!isBelow.current) hasNew.value = false;
    });
    if (end.current) observer.observe(end.current);
    return () => observer.disconnect();
  }, []);
  const length = useRef(0);
  useSignalEffect(() => {
    const now = visibleLength(model);
    // The text of a finished job is not new.
    const isNew = now > length.current && !model.isOver.peek();
    length.current = now;
    if (isNew && isBelow.current) hasNew.value = true;
  });
  return (
    <>
      <div class="job-end" ref={end} />
      {hasNew.value && (
        <button type="button" class="job-down"
          onClick={() => end.current?.scrollIntoView({ block: "end" })}>
          <span aria-hidden="true">↓ </span>{words.down}
          <span class="unseen">{words.downLabel}</span>
        </button>
      )}
    </>
  );
}

/** Returns the length of the text on the page that grows. */
function visibleLength(model: JobModel): number {
  void model.job.revision.value;
  const shown = model.job.shownAttempt.value;
  const thinking = model.isThinkingOpen.value ? model.job.text(shown, "thinking").length : 0;
  return model.answer.value.length + thinking;
}
