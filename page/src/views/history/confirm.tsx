// A button that deletes something, and asks in its place before it does: nothing deleted comes
// back. The focus goes to the harmless answer, and returns when nothing was deleted.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { type BoxError, asBoxError } from "../../api/client.ts";
import { t } from "../../strings/index.ts";
import { Failure } from "../failure.tsx";

interface ConfirmProps {
  label: string;
  /** The name of the button for screen readers, where the label alone does not say what. */
  name?: string;
  question: string;
  yes: string;
  /** What the harmless answer and the button at work say, where it is not about deleting. */
  no?: string;
  acting?: string;
  /** Deletes; the button may be gone afterwards. */
  act: () => Promise<void>;
}

export function Confirm({ label, name, question, yes, no, acting, act }: ConfirmProps) {
  const words = t().history;
  const step = useSignal<"calm" | "asking" | "acting">("calm");
  const error = useSignal<BoxError | null>(null);
  const opener = useRef<HTMLButtonElement>(null);
  const keep = useRef<HTMLButtonElement>(null);
  const wasOpen = useRef(false);
  useEffect(() => {
    const isOpen = step.value !== "calm";
    if (isOpen && !wasOpen.current) keep.current?.focus({ preventScroll: true });
    if (!isOpen && wasOpen.current) opener.current?.focus({ preventScroll: true });
    wasOpen.current = isOpen;
  });

  const close = () => {
    if (step.value === "asking") step.value = "calm";
    error.value = null;
  };
  const run = async () => {
    if (step.value !== "asking") return;
    [step.value, error.value] = ["acting", null];
    try {
      await act();
    } catch (thrown) {
      [step.value, error.value] = ["asking", asBoxError(thrown)];
      return;
    }
    step.value = "calm";
  };

  if (step.value === "calm") {
    return (
      <button type="button" class="plain" ref={opener} aria-label={name}
        onClick={() => (step.value = "asking")}>
        {label}
      </button>
    );
  }
  const isActing = step.value === "acting";
  return (
    <div class="confirm" role="group" aria-label={question}
      onKeyDown={(event) => {
        if (event.key === "Escape") close();
      }}>
      <p>{question}</p>
      <button type="button" class="danger" aria-disabled={isActing} onClick={() => void run()}>
        {isActing ? acting ?? words.deleting : yes}
      </button>
      <button type="button" ref={keep} aria-disabled={isActing} onClick={close}>
        {no ?? words.keep}
      </button>
      {error.value && <Failure error={error.value} />}
    </div>
  );
}
