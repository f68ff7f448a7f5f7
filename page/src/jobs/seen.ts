// Notes which answers have been seen: those of the job on the screen, once it has ended and the
// page is not hidden. Started by main.tsx.

import { effect, signal } from "@preact/signals";
import { current, route } from "../state.ts";
import { isFinal } from "./job.ts";
import { markRead } from "./unread.ts";

export function followSeen(): void {
  const isHidden = signal(document.hidden);
  document.addEventListener("visibilitychange", () => (isHidden.value = document.hidden));
  effect(() => {
    const job = current.value;
    if (!job || isHidden.value || route.value.name !== "job") return;
    if (job.hasRead.value && isFinal(job.info.value.state)) markRead(job.id);
  });
}
