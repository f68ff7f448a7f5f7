// The button that asks and, next to it, why a question was not taken. Stays at the lower edge of
// the screen while the form is longer, so that a reply to pressing Enter is in sight.

import { say } from "../../state.ts";
import { languageTag, t } from "../../strings/index.ts";
import { useCountdown } from "../countdown.ts";
import { BUDGET_TOKENS_MAX, type Submission, submission } from "./submission.ts";

export function AskRow() {
  const words = t().ask;
  const state = submission.value;
  const waitS = useCountdown(state.state === "refused" ? state.againAt : null, () => {
    submission.value = { state: "ready" };
    say(t().ask.againNow);
  });
  const isAsking = state.state === "asking";
  return (
    <div class="ask-row">
      {/* Not disabled, because a disabled button loses the focus. */}
      <button type="submit" class="primary" aria-disabled={isAsking || waitS > 0}
        aria-describedby="problem">
        {isAsking ? words.asking : words.button}
      </button>
      <div id="problem">
        <Problem state={state} />
        {waitS > 0 && <p class="quiet">{words.again(waitS)}</p>}
      </div>
      <p id="keys" class="quiet keys">{words.keys}</p>
    </div>
  );
}

function Problem({ state }: { state: Submission }) {
  const text = problemOf(state);
  return text ? <p class="bad">{text}</p> : null;
}

/** Returns the words for why a question was not taken, or null if nothing is wrong. */
export function problemOf(state: Submission): string | null {
  const { missing, problem } = t().ask;
  switch (state.state) {
    case "ready":
    case "asking":
      return null;
    case "missing": {
      const most = BUDGET_TOKENS_MAX.toLocaleString(languageTag.value);
      return state.what === "budget" ? missing.budget(most) : missing[state.what];
    }
    case "refused": {
      const { what, remedy } = t().client.errors[state.kind];
      return problem(what, remedy);
    }
  }
}
