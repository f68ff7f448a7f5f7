// When a question asked now would be answered, for each number of attempts on offer. Read again and
// again while the page is visible; an estimate that cannot be read is quietly absent.

import { type ReadonlySignal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { getEstimate } from "../../api/client.ts";
import type { Eta } from "../../api/shapes.ts";

const SETTLE_MS = 300;
const AGAIN_MS = 15_000;

export type Estimates = ReadonlyMap<number, Eta>;

const NONE: Estimates = new Map();

/** Follows the estimates of a mode; null for a mode that the box has not named yet. */
export function useEstimates(mode: string | null, choices: number[]): ReadonlySignal<Estimates> {
  const estimates = useSignal(NONE);
  useEffect(() => {
    estimates.value = NONE;
    return mode ? followEstimates(mode, choices, (found) => (estimates.value = found)) : undefined;
  }, [mode, choices.join()]);
  return estimates;
}

/** Reads the estimates until the returned function is called. */
function followEstimates(mode: string, choices: number[], take: (found: Estimates) => void) {
  let isOver = false;
  let timer: ReturnType<typeof setTimeout>;

  async function look() {
    if (document.visibilityState === "hidden") return;
    const found = await readEstimates(mode, choices);
    if (isOver) return;
    take(found);
    clearTimeout(timer);
    timer = setTimeout(look, AGAIN_MS);
  }
  const show = () => {
    clearTimeout(timer);
    timer = setTimeout(look, SETTLE_MS);
  };

  show();
  document.addEventListener("visibilitychange", show);
  return () => {
    isOver = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", show);
  };
}

/** Reads one after the other: a browser has six connections to the box for everything. */
async function readEstimates(mode: string, choices: number[]): Promise<Estimates> {
  const found = new Map<number, Eta>();
  for (const attempts of choices) {
    try {
      const { eta } = await getEstimate(mode, attempts);
      if (eta) found.set(attempts, eta);
    } catch {
      // The box is busy or gone; the page says so elsewhere.
    }
  }
  return found;
}
