// Which mode the form asks in and what it offers for it. Until the box has sent its modes, the
// built-in ones are assumed, so that the form is complete, does not jump, and can ask already.

import type { Mode, ModeList } from "../../api/shapes.ts";

/** Attempts offered in addition to the mode's own number. */
const ATTEMPTS = [1, 4, 8];

const ASSUMED: readonly Mode[] = [
  assumed("math", { is_default: true, votes: true, budget_tokens: 32_768 }),
  assumed("code", { budget_tokens: 32_768 }),
  assumed("hint", {}),
  assumed("review", { budget_tokens: 16_384, student_attempt: true }),
  assumed("proof", { budget_tokens: 32_768 }),
  assumed("plain", { votes: true }),
];

function assumed(name: string, difference: Partial<Mode>): Mode {
  return {
    name, about: "", is_default: false, votes: false, attempts: 1, budget_tokens: 8_192,
    student_attempt: false, is_supported: true, examples: [], ...difference,
  };
}

export function offered(list: ModeList | null): readonly Mode[] {
  return list?.modes ?? ASSUMED;
}

/** Returns the wanted mode if the model can do it, else the box's default, else any that it can. */
export function chosenMode(list: ModeList | null, wanted: string | null): Mode {
  const all = offered(list);
  const able = all.filter((mode) => mode.is_supported);
  return (
    able.find((mode) => mode.name === wanted)
    ?? able.find((mode) => mode.is_default)
    ?? able[0]
    ?? all.find((mode) => mode.is_default)
    ?? (ASSUMED[0] as Mode)
  );
}

/** Returns the numbers of attempts to choose from, the one already chosen among them; a single
    number where attempts cannot vote. */
export function attemptChoices(mode: Mode, chosen: number | null): number[] {
  if (!mode.votes) return [mode.attempts];
  const numbers = new Set([...ATTEMPTS, mode.attempts, chosen ?? mode.attempts]);
  return Array.from(numbers).sort((a, b) => a - b);
}
