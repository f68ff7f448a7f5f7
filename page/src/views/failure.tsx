// What went wrong with a request, next to what was pressed: a sentence, a way out,
// and the time until it may work again.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { BoxError } from "../api/client.ts";
import { say } from "../state.ts";
import { t } from "../strings/index.ts";

const TICK_MS = 1_000;

interface FailureProps {
  error: BoxError;
  /** Tries again what failed; without it, the button that was pressed is there for that. */
  again?: () => void;
}

export function Failure({ error, again }: FailureProps) {
  const words = t().client;
  const { what, remedy } = words.errors[error.kind];
  const left = useSignal(secondsOf(error.retryAfterMs));
  useEffect(() => say(`${what} ${remedy}`), [error]);
  useEffect(() => {
    const until = performance.now() + (error.retryAfterMs ?? 0);
    left.value = secondsOf(error.retryAfterMs);
    const ticking = setInterval(() => {
      left.value = secondsOf(until - performance.now());
      if (left.value === 0) clearInterval(ticking);
    }, TICK_MS);
    return () => clearInterval(ticking);
  }, [error]);
  const wait = left.value > 0 ? words.again(left.value) : words.againNow;
  return (
    <div class="notice bad">
      <p>{what} {remedy} {error.retryAfterMs !== null && wait}</p>
      {again && (
        <button type="button" disabled={left.value > 0} onClick={again}>{words.tryAgain}</button>
      )}
    </div>
  );
}

function secondsOf(ms: number | null): number {
  return Math.max(0, Math.ceil((ms ?? 0) / 1_000));
}
