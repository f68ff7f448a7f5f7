// The row of symbols below a field, which types into that field: a toolbar, one stop of the Tab
// key, arrows inside. What each symbol inserts is in symbols.ts.

import { useSignal } from "@preact/signals";
import type { RefObject } from "preact";
import { useRef } from "preact/hooks";
import { t } from "../../strings/index.ts";
import { type Field, insertAtCaret } from "./insert.ts";
import { moved } from "./keys.ts";
import { type MathSymbol, SYMBOLS, insertionOf } from "./symbols.ts";

interface Props { field: RefObject<Field | null>; label: string }

export function SymbolBar({ field, label }: Props) {
  const words = t().ask;
  const bar = useRef<HTMLDivElement>(null);
  const stop = useSignal(0);

  function takeKey(event: KeyboardEvent) {
    const next = moved(event.key, stop.value, SYMBOLS.length);
    if (next === null) return;
    event.preventDefault();
    stop.value = next;
    (bar.current?.children[next] as HTMLElement | undefined)?.focus();
  }

  return (
    <div ref={bar} class="symbols" role="toolbar" aria-label={words.symbolsFor(label)}
      onKeyDown={takeKey}>
      {SYMBOLS.map((symbol, at) => (
        <button type="button" key={symbol.name} tabIndex={at === stop.value ? 0 : -1}
          aria-label={words.symbols[symbol.name]} title={words.symbols[symbol.name]}
          // Shown by the style sheet: as text, it would be a second name of the button.
          data-sign={symbol.sign}
          // The field keeps its focus, its selection and a touch keyboard.
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => {
            stop.value = at;
            if (field.current) typeSymbol(field.current, symbol);
          }} />
      ))}
    </div>
  );
}

/** Types a symbol into a field, around its selection. */
export function typeSymbol(field: Field, symbol: MathSymbol): void {
  const end = field.selectionEnd ?? field.value.length;
  const wanted = insertionOf(symbol, field.value, field.selectionStart ?? end, end);
  if (!wanted) return field.focus({ preventScroll: true });
  field.setSelectionRange(wanted.start, wanted.end);
  insertAtCaret(field, wanted.text, wanted.caretOffset);
}
