// Questions to tap, which the installed model answers well, and the way back to a text that one of
// them, or a question to ask again, replaced.

import type { Mode } from "../../api/shapes.ts";
import { modes } from "../../state.ts";
import { t } from "../../strings/index.ts";
import { bringBack, draft, edit, replace, replaced } from "./draft.ts";
import { oneLine } from "./one-line.ts";
import { noteEdit } from "./submission.ts";

export function Examples({ mode }: { mode: Mode }) {
  // The place of examples that have not come yet.
  if (!modes.value) return <div class="examples" />;
  if (mode.examples.length === 0) return null;
  return (
    <div class="examples">
      <p class="quiet">{t().ask.examplesLabel}</p>
      <ul>
        {mode.examples.map((example) => (
          <li key={example}>
            <button type="button" onClick={() => take(example, mode)}>{oneLine(example)}</button>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Puts an example into the form; an example that it replaces is not offered to be brought back. */
function take(example: string, mode: Mode): void {
  const isTyped = mode.examples.indexOf(draft.peek().question) < 0;
  (isTyped ? replace : edit)({ question: example, previous: null });
  noteEdit();
}

/** Says what the form does not show of itself: a text it replaced, an answer it goes on from. */
export function DraftNotices() {
  const words = t().ask;
  return (
    <>
      {draft.value.previous && (
        <p class="draft-notice">
          {words.goesOn}{" "}
          <button type="button" class="plain" onClick={() => edit({ previous: null })}>
            {words.startNew}
          </button>
        </p>
      )}
      {replaced.value && (
        <p class="draft-notice">
          {words.replaced}{" "}
          <button type="button" class="plain" onClick={bringBack}>{words.bringBack}</button>
        </p>
      )}
    </>
  );
}
