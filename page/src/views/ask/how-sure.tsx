// "How sure?": how many attempts vote, each choice with the time to expect now. A mode that cannot
// vote has no choice to make and shows the time alone.

import type { Eta, Mode } from "../../api/shapes.ts";
import { modes } from "../../state.ts";
import { t } from "../../strings/index.ts";
import { expectationOf } from "../job/durations.ts";
import { Choices } from "./choices.tsx";
import { draft, edit } from "./draft.ts";
import { useEstimates } from "./estimates.ts";
import { attemptChoices } from "./modes.ts";

/** Keeps the line of a time that is not known. */
const NO_TIME = "\u00A0";

export function HowSure({ mode }: { mode: Mode }) {
  const words = t().ask;
  const chosen = draft.value.attempts;
  const numbers = attemptChoices(mode, chosen);
  // Before anything is typed nobody waits for them, and the page is there sooner.
  const isWanted = modes.value !== null && draft.value.question.trim() !== "";
  const estimates = useEstimates(isWanted ? mode.name : null, numbers).value;

  if (!mode.votes) {
    const time = expectedTime(estimates.get(mode.attempts));
    return <p class="quiet time">{time ? words.expected(time) : NO_TIME}</p>;
  }
  const choices = numbers.map((count) => ({
    value: count,
    name: words.attempts(count),
    note: expectedTime(estimates.get(count)) || NO_TIME,
  }));
  return (
    <Choices label={words.sureLabel} hint={words.sureHint} class="sure" choices={choices}
      chosen={chosen ?? mode.attempts}
      onChoose={({ value }) => edit({ attempts: value })} />
  );
}

function expectedTime(eta: Eta | undefined): string {
  const words = t().ask;
  const found = eta ? expectationOf(eta, 0) : null;
  switch (found?.kind) {
    case "about":
      return words.about(found.about, words.units[found.unit]);
    case "within":
      return words.within(found.most, words.units[found.unit]);
    default:
      return "";
  }
}
