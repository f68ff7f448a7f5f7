// The view of the box's owner (`/owner`): sign-in by PIN, then the queue, the limits, the figures
// of the box and its usage. Shows no client's questions.

import { useEffect, useMemo, useRef } from "preact/hooks";
import { Failure } from "../../failure.tsx";
import { doing } from "../../job/asking.ts";
import { Figures } from "./figures.tsx";
import { LimitsForm } from "./limits.tsx";
import { Queue } from "./queue.tsx";
import { leaveSession, readSession, standing } from "./session.ts";
import { NoPin, SignIn } from "./sign-in.tsx";
import { Usage } from "./usage.tsx";
import { w } from "./words.ts";

export function OwnerView() {
  const reading = useMemo(doing, []);
  const read = () => void reading.run(readSession);
  useEffect(read, []);
  switch (standing.value) {
    case "unknown":
      return reading.fault.value
        ? <Failure error={reading.fault.value} again={read} />
        : <p class="quiet">{w().loading}</p>;
    case "unset":
      return <NoPin />;
    case "out":
      return <SignIn />;
    case "in":
      return <Desk />;
  }
}

function Desk() {
  const leaving = useMemo(doing, []);
  const desk = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // The sign-in had the focus and is gone.
    if (document.activeElement === document.body) desk.current?.focus({ preventScroll: true });
  }, []);
  return (
    <div class="owner" ref={desk} tabIndex={-1}>
      <Queue />
      <Figures />
      <LimitsForm />
      <Usage />
      {leaving.fault.value && <Failure error={leaving.fault.value} />}
      <button type="button" onClick={() => void leaving.run(leaveSession)}>{w().signOut}</button>
    </div>
  );
}
