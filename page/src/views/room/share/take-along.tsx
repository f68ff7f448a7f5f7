// *Take along*: makes a link to one question that can only be read, with its QR code, and takes it
// back. Only the button is loaded with the question; ticket.tsx is what opens below it.

import type { Signal } from "@preact/signals";
import { useId, useRef } from "preact/hooks";
import type { LiveJob } from "../../../jobs/job.ts";
import { t } from "../../../strings/index.ts";
import { Ticket } from "../parts.ts";

interface TakeAlongProps {
  job: LiveJob;
  /** Whether the panel is open: its owner decides how long that is remembered. */
  isOpen: Signal<boolean>;
  /** Called when the panel is opened. */
  opened?: () => void;
}

export function TakeAlong({ job, isOpen, opened }: TakeAlongProps) {
  const words = t().room.share;
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const toggle = () => {
    isOpen.value = !isOpen.value;
    if (isOpen.value) opened?.();
  };
  const close = () => {
    isOpen.value = false;
    button.current?.focus({ preventScroll: true });
  };
  if (!job.hasRead.value) return null;
  return (
    <div class="take-along">
      <button type="button" ref={button} aria-expanded={isOpen.value} aria-controls={id}
        onClick={toggle}>
        {words.button}
      </button>
      <div id={id}>{isOpen.value && <Ticket job={job} close={close} />}</div>
    </div>
  );
}
