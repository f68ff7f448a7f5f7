// How long things take, without words: a past time in parts, and when an answer is expected as
// roughly as that is known. The strings of each language word both.

const HOUR_S = 3600;
const MINUTE_S = 60;
/** Below this, a time is told in seconds alone. */
const SECONDS_ONLY_BELOW = 100;

export type Unit = "hour" | "minute" | "second";

/** A time in whole parts; `minutes` and `seconds` are below 60 unless all is told in seconds. */
export interface Span { hours: number; minutes: number; seconds: number }

export type Expectation =
  | { kind: "about"; unit: Unit; about: number; from: number; to: number }
  // The median has passed, but not the upper bound.
  | { kind: "within"; unit: Unit; most: number }
  | { kind: "overdue" };

/** Returns a time in the parts that are worth telling. */
export function spanOf(seconds: number): Span {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < SECONDS_ONLY_BELOW) return { hours: 0, minutes: 0, seconds: whole };
  const minutes = Math.floor(whole / MINUTE_S);
  if (whole < HOUR_S) return { hours: 0, minutes, seconds: whole % MINUTE_S };
  return { hours: Math.floor(minutes / 60), minutes: minutes % 60, seconds: 0 };
}

/** Returns when an answer is expected, `passedS` seconds after the estimate was read. Steps are
    coarse, because the bounds hold in 8 of 10 cases only. */
export function expectationOf(
  eta: { seconds: number; low: number; high: number },
  passedS: number,
): Expectation {
  const most = eta.high - passedS;
  if (!(most > 0)) return { kind: "overdue" };
  const [unit, unitS] = unitFor(most);
  const step = unit === "second" ? 10 : most > 20 * unitS ? 5 * unitS : unitS;
  const rough = (at: number) => (Math.max(0, Math.round((at - passedS) / step)) * step) / unitS;
  const [about, from, to] = [rough(eta.seconds), rough(eta.low), rough(eta.high)];
  if (about > 0) return { kind: "about", unit, about, from: Math.min(from, about), to };
  return { kind: "within", unit, most: (Math.ceil(most / step) * step) / unitS };
}

/** Returns whole minutes until the median, at least 1; null once the upper bound has passed. */
export function minutesLeft(eta: { seconds: number; high: number }, passedS: number) {
  if (!(eta.high > passedS)) return null;
  return Math.max(1, Math.round((eta.seconds - passedS) / MINUTE_S));
}

/** Returns the share of the expected time that has passed, below 1 until the answer is there. */
export function shareOf(elapsedS: number, eta: { seconds: number } | null, passedS: number) {
  if (!eta || !(elapsedS > 0)) return 0;
  const left = Math.max(0, eta.seconds - passedS);
  return Math.min(0.97, elapsedS / (elapsedS + left));
}

function unitFor(seconds: number): [Unit, number] {
  if (seconds >= 1.5 * HOUR_S) return ["hour", HOUR_S];
  if (seconds >= 1.5 * MINUTE_S) return ["minute", MINUTE_S];
  return ["second", 1];
}
