// One of the two large fields of the form, with its symbols and its preview. Enter asks, or starts
// a line, as keys.ts decides; the form owns what asking means.

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { t } from "../../strings/index.ts";
import { noteFocus, undoInsertion } from "./insert.ts";
import { type Where, asks, undoes } from "./keys.ts";
import { usePasteLimit } from "./paste-limit.ts";
import { Preview } from "./preview.tsx";
import { SymbolBar } from "./symbol-bar.tsx";

interface Props {
  where: Where;
  text: string;
  rows: number;
  isLocked: boolean;
  isWrong: boolean;
  /** IDs of the elements that describe the field. */
  describedBy: string;
  onText(text: string): void;
  onAsk(): void;
  /** What stands between the symbols and the preview. */
  children?: ComponentChildren;
}

export function Field({ where, text, rows, isLocked, isWrong, describedBy, ...rest }: Props) {
  const field = useRef<HTMLTextAreaElement>(null);
  const composedAt = useRef(-Infinity);
  const pasteLimit = usePasteLimit();
  const label = t().ask[where];

  useEffect(() => {
    // On a touch screen the focus would open the keyboard over half of the page.
    if (where === "question" && !isTouch()) field.current?.focus({ preventScroll: true });
  }, []);

  function takeKey(event: KeyboardEvent) {
    if (field.current && undoes(event) && undoInsertion(field.current)) event.preventDefault();
    if (!asks(event, where, { isTouch: isTouch(), composedAt: composedAt.current })) return;
    event.preventDefault();
    if (!event.repeat) rest.onAsk();
  }

  return (
    <div class="field">
      <label for={where}>{label}</label>
      <textarea id={where} ref={field} rows={rows} value={text} readOnly={isLocked}
        autocomplete="off" aria-describedby={describedBy} aria-invalid={isWrong}
        onInput={(event) => {
          pasteLimit.forget();
          rest.onText(event.currentTarget.value);
        }}
        onPaste={pasteLimit.take} onDrop={pasteLimit.take}
        onFocus={(event) => noteFocus(event.currentTarget)}
        onCompositionEnd={(event) => (composedAt.current = event.timeStamp)}
        onKeyDown={takeKey} />
      {pasteLimit.problem && <p class="bad">{pasteLimit.problem}</p>}
      <SymbolBar field={field} label={label} />
      {rest.children}
      <Preview text={text} of={label} />
    </div>
  );
}

function isTouch(): boolean {
  return matchMedia("(hover: none) and (pointer: coarse)").matches;
}
