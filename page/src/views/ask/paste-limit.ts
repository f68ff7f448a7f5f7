// Refuses a pasted or dropped text that is far too long for the box: browsers lay out a field with
// a million lines for many seconds. What was typed before, and its undo, stay as they are.

import { useSignal } from "@preact/signals";
import { modes, say } from "../../state.ts";
import { languageTag, t } from "../../strings/index.ts";
import { SENT_CHARS_MAX } from "./submission.ts";
import { estimateTokens, roundTokens } from "./tokens.ts";

/** A text of this many times the box's limit may still be pasted, to be shortened in the field. */
const EXCESS = 4;

type Insertion = ClipboardEvent | DragEvent;

export interface PasteLimit {
  /** The sentence that says that something was not pasted; "" if nothing was refused. */
  problem: string;
  /** For the field's `paste` and `drop`. */
  take(event: Insertion): void;
  /** For the field's `input`: the sentence goes. */
  forget(): void;
}

export function usePasteLimit(): PasteLimit {
  const refused = useSignal(0);
  const words = t().ask;
  const wordsFor = (tokens: number) =>
    words.notPasted(roundTokens(tokens).toLocaleString(languageTag.value));
  return {
    problem: refused.value > 0 ? wordsFor(refused.value) : "",
    take(event) {
      const text = textOf(event);
      const field = event.currentTarget as HTMLTextAreaElement;
      if (!isFarTooLong(text, field)) return;
      event.preventDefault();
      refused.value = estimateTokens(text);
      say(wordsFor(refused.value));
    },
    forget: () => (refused.value = 0),
  };
}

function textOf(event: Insertion): string {
  const data = "clipboardData" in event ? event.clipboardData : event.dataTransfer;
  return data?.getData("text/plain") ?? "";
}

/** Whether the field would hold far too much with a text in place of its selection. */
function isFarTooLong(text: string, { value, selectionStart, selectionEnd }: HTMLTextAreaElement) {
  const kept = value.slice(0, selectionStart) + value.slice(selectionEnd);
  const most = modes.peek()?.question_tokens_max;
  if (kept.length + text.length > SENT_CHARS_MAX) return text !== "";
  return most !== undefined && estimateTokens(text) + estimateTokens(kept) > EXCESS * most;
}
