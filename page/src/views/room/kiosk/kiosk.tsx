// What a kiosk adds to the page (`/?kiosk=3`): large type, a keypad, and a clean page for the next
// person once nobody has touched it for some minutes.

import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { listJobs } from "../../../api/client.ts";
import { isFinal } from "../../../jobs/job.ts";
import { current, route } from "../../../state.ts";
import { t } from "../../../strings/index.ts";
import { draft } from "../../ask/draft.ts";
import { focusedField, noteFocus } from "../../ask/insert.ts";
import { Idle, type Traces } from "./idle.ts";
import { Keypad } from "./keypad.tsx";
import { leave, leaveError } from "./leave.ts";
import { isField } from "./typing.ts";
import { Warning } from "./warning.tsx";

const MINUTE_MS = 60_000;
const TICK_MS = 1_000;
const TOUCHES = ["pointerdown", "pointermove", "keydown", "wheel", "input", "touchmove"] as const;
/** Jobs among which one that is being answered is looked for: a kiosk may have few at once. */
const LISTED_JOBS = 20;

export function Kiosk({ minutes }: { minutes: number }) {
  const words = t().room;
  const isOpen = useSignal(false);
  const idle = useMemo(() => makeIdle(minutes), [minutes]);
  useEffect(() => followTouches(idle), [idle]);
  useEffect(() => followFields((hasField) => (isOpen.value = hasField)), []);
  useSignalEffect(() => {
    // The field of the last view is gone by then.
    void [route.value, current.value];
    setTimeout(() => {
      if (!focusedField()) isOpen.value = false;
    });
  });
  useEffect(() => {
    const { classList } = document.documentElement;
    classList.add("kiosk");
    return () => classList.remove("kiosk");
  }, []);
  if (idle.stage.value === "leaving") return <Leaving />;
  return (
    <>
      <p class="kiosk-row">
        {!isOpen.value && focusedField() && (
          <button type="button" onClick={() => openKeypad(() => (isOpen.value = true))}>
            {words.keypad.open}
          </button>
        )}
        <button type="button" onClick={() => idle.warn()}>{words.kiosk.done}</button>
      </p>
      {isOpen.value && <Keypad isOpen={isOpen} />}
      {idle.stage.value === "warning" && <Warning idle={idle} />}
    </>
  );
}

function Leaving() {
  const words = t().room.kiosk;
  return (
    <div class="cover">
      <div class="card warning" role="alert">
        <p>{leaveError.value ? words.gone : words.leaving}</p>
      </div>
    </div>
  );
}

/** Whether anybody has touched the page since it was loaded. */
let isTouched = false;

function makeIdle(minutes: number): Idle {
  return new Idle({
    idleMs: minutes * MINUTE_MS, now: () => Date.now(), look, leave: () => void leave(),
  });
}

async function look(): Promise<Traces> {
  const open = current.peek();
  if (open?.hasRead.peek() && !isFinal(open.info.peek().state)) return "busy";
  const { jobs } = await listJobs(undefined, LISTED_JOBS);
  if (jobs.some(({ state }) => !isFinal(state))) return "busy";
  // A draft may come from before the page was loaded.
  const { question, work } = draft.peek();
  return jobs.length > 0 || isTouched || question + work !== "" ? "some" : "none";
}

function followTouches(idle: Idle): () => void {
  const touch = () => {
    isTouched = true;
    idle.touch();
  };
  const tick = () => idle.tick();
  const ticking = setInterval(tick, TICK_MS);
  for (const name of TOUCHES) addEventListener(name, touch, { capture: true, passive: true });
  // A device that slept does not wait for its timers.
  document.addEventListener("visibilitychange", tick);
  return () => {
    clearInterval(ticking);
    for (const name of TOUCHES) removeEventListener(name, touch, { capture: true });
    document.removeEventListener("visibilitychange", tick);
  };
}

/** Calls back when a field gets the focus, and when the last one is gone. */
function followFields(changed: (hasField: boolean) => void): () => void {
  const focused = (target: EventTarget | null) => {
    if (!isField(target)) return;
    noteFocus(target);
    // The system's own keyboard would cover the keypad.
    target.inputMode = "none";
    changed(true);
    setTimeout(() => uncover(target));
  };
  const clicked = () => setTimeout(() => {
    if (!focusedField()) changed(false);
  });
  const note = ({ target }: FocusEvent) => focused(target);
  document.addEventListener("focusin", note);
  document.addEventListener("click", clicked);
  focused(document.activeElement);
  return () => {
    document.removeEventListener("focusin", note);
    document.removeEventListener("click", clicked);
  };
}

/** Brings a field into sight that the keypad covers. */
function uncover(field: HTMLElement): void {
  if (field.isConnected) field.scrollIntoView({ block: "nearest" });
}

function openKeypad(open: () => void): void {
  open();
  focusedField()?.focus({ preventScroll: true });
}
