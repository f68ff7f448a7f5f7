// What went wrong with a request, next to what was pressed: a sentence, a way out,
// and the time until it may work again.

import { useEffect, useMemo } from "preact/hooks";
import type { BoxError } from "../api/client.ts";
import { say } from "../state.ts";
import { t } from "../strings/index.ts";
import { useCountdown } from "./countdown.ts";

interface FailureProps {
  error: BoxError;
  /** Tries again what failed; without it, the button that was pressed is there for that. */
  again?: () => void;
}

export function Failure({ error, again }: FailureProps) {
  const words = t().client;
  const { what, remedy } = words.errors[error.kind];
  const { retryAfterMs } = error;
  const until = useMemo(() => retryAfterMs && performance.now() + retryAfterMs, [error]);
  const left = useCountdown(until);
  useEffect(() => say(`${what} ${remedy}`), [error]);
  const wait = left > 0 ? words.again(left) : words.againNow;
  return (
    <div class="notice bad">
      <p>{what} {remedy} {retryAfterMs !== null && wait}</p>
      {again && (
        <button type="button" disabled={left > 0} onClick={again}>{words.tryAgain}</button>
      )}
    </div>
  );
}
