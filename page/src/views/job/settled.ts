// Whether the answer of a job that was opened is on the page as a whole: it is rendered in slices,
// and what follows it would jump down with each of them.

import { type ReadonlySignal, useSignal } from "@preact/signals";
import type { RefObject } from "preact";
import { useEffect } from "preact/hooks";
import type { JobModel } from "./model.ts";

const QUIET_MS = 120;
/** A text that takes longer is longer than a screen. */
const MOST_MS = 1_500;

/** Follows an element until nothing has changed in it for a while after the job was read. */
export function useSettled(
  place: RefObject<HTMLElement | null>, model: JobModel,
): ReadonlySignal<boolean> {
  const isSettled = useSignal(false);
  const hasRead = model.job.hasRead.value;
  useEffect(() => {
    const element = place.current;
    if (!hasRead || !element) return undefined;
    const settle = () => (isSettled.value = true);
    // A text that grows has nothing after it yet.
    if (!model.isOver.peek() || model.answer.peek() === "") return void settle();
    let quiet = setTimeout(settle, MOST_MS);
    const most = setTimeout(settle, MOST_MS);
    const observer = new MutationObserver(() => {
      clearTimeout(quiet);
      quiet = setTimeout(settle, QUIET_MS);
    });
    observer.observe(element, { childList: true, subtree: true, characterData: true });
    return () => {
      observer.disconnect();
      clearTimeout(quiet);
      clearTimeout(most);
    };
  }, [hasRead]);
  return isSettled;
}
