// Counts down to when something may be tried again, for the buttons and sentences that wait for it.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

const SECOND_MS = 1_000;

/** Returns the whole seconds until a time of performance.now(), 0 without one; calls `over` once
    it has come. */
export function useCountdown(until: number | null, over: () => void = () => {}): number {
  const ticks = useSignal(0);
  useEffect(() => {
    if (until === null) return undefined;
    const tick = () => {
      ticks.value++;
      if (secondsTo(until) > 0) return;
      clearInterval(ticking);
      over();
    };
    const ticking = setInterval(tick, SECOND_MS);
    tick();
    return () => clearInterval(ticking);
  }, [until]);
  void ticks.value;
  return until === null ? 0 : secondsTo(until);
}

function secondsTo(until: number): number {
  return Math.max(0, Math.ceil((until - performance.now()) / SECOND_MS));
}
