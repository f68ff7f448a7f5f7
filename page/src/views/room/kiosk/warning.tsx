// The warning before a kiosk is cleared: it counts down, offers to take the question along, and
// goes when somebody says that they are still there. The focus stays within it and then returns.

import { useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import { current, route } from "../../../state.ts";
import { t } from "../../../strings/index.ts";
import { TakeAlong } from "../share/take-along.tsx";
import type { Idle } from "./idle.ts";

/** Time to scan a code. */
const TAKE_ALONG_MS = 60_000;

export function Warning({ idle }: { idle: Idle }) {
  const words = t().room.kiosk;
  const [title, text] = [useId(), useId()];
  const dialog = useRef<HTMLDivElement>(null);
  const stay = useRef<HTMLButtonElement>(null);
  const isTicketOpen = useSignal(false);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    stay.current?.focus({ preventScroll: true });
    return () => {
      if (before?.isConnected) before.focus({ preventScroll: true });
    };
  }, []);
  const takeKey = (event: KeyboardEvent) => {
    if (event.key === "Escape") idle.stay();
    if (event.key === "Tab" && dialog.current) keepFocus(event, dialog.current);
  };
  const job = route.value.name === "job" ? current.value : null;
  return (
    <div class="cover" onClick={(event) => {
      // A touch next to the warning comes from somebody who is there.
      if (event.target === event.currentTarget) idle.stay();
    }}>
      <div class="card warning" ref={dialog} role="alertdialog" aria-modal="true"
        aria-labelledby={title} aria-describedby={text} onKeyDown={takeKey}>
        <h2 id={title}>{words.title}</h2>
        <p id={text}>{words.clears(idle.leftS.value)}</p>
        <div class="warning-row">
          <button type="button" class="primary" ref={stay} onClick={() => idle.stay()}>
            {words.stay}
          </button>
          <button type="button" onClick={() => idle.leaveNow()}>{words.now}</button>
          {job && (
            <TakeAlong job={job} isOpen={isTicketOpen}
              opened={() => idle.hold(TAKE_ALONG_MS)} />
          )}
        </div>
      </div>
    </div>
  );
}

/** Moves the focus from the last to the first, and back. */
function keepFocus(event: KeyboardEvent, dialog: HTMLElement): void {
  const stops = dialog.querySelectorAll<HTMLElement>("button:not(:disabled), a[href]");
  const [first, last] = [stops[0], stops[stops.length - 1]];
  const isInside = dialog.contains(document.activeElement);
  const isAtEnd = document.activeElement === (event.shiftKey ? first : last);
  if (isInside && !isAtEnd) return;
  event.preventDefault();
  (event.shiftKey ? last : first)?.focus({ preventScroll: true });
}
