// What few people change: the longest thinking. Open while its value is wrong.

import { useSignal } from "@preact/signals";
import type { Mode } from "../../api/shapes.ts";
import { languageTag, t } from "../../strings/index.ts";
import { draft, edit, isSending } from "./draft.ts";
import { noteFocus } from "./insert.ts";
import { noteEdit, submission } from "./submission.ts";

export function More({ mode }: { mode: Mode }) {
  const words = t().ask;
  const isOpen = useSignal(draft.peek().budget !== "");
  const state = submission.value;
  const isWrong = state.state === "missing" && state.what === "budget";
  const usual = mode.budget_tokens.toLocaleString(languageTag.value);
  return (
    <details class="more" open={isOpen.value || isWrong}
      onToggle={(event) => (isOpen.value = event.currentTarget.open)}>
      <summary>{words.more}</summary>
      <label for="budget">{words.budget}</label>
      <input id="budget" type="text" inputMode="numeric" autocomplete="off" maxLength={9}
        readOnly={isSending.value} value={draft.value.budget}
        placeholder={String(mode.budget_tokens)}
        aria-describedby="budget-hint" aria-invalid={isWrong}
        onFocus={(event) => noteFocus(event.currentTarget)}
        onInput={(event) => {
          edit({ budget: event.currentTarget.value });
          noteEdit();
        }} />
      <p id="budget-hint" class="quiet">{words.budgetHint(usual)}</p>
    </details>
  );
}
