// What the keys of the keypad do to the field that has, or had, the focus. They type as hands do:
// the browser's undo knows of it, and all that listens to the field's input.

import { type Field, insertAtCaret, undoInsertion } from "../../ask/insert.ts";
import { SYMBOLS } from "../../ask/symbols.ts";
import { typeSymbol } from "../../ask/symbol-bar.tsx";
import { after, before } from "./caret.ts";
import type { Command, Key } from "./keys.ts";

const TYPES = ["text", "search", "url", "tel", "password"];

/** Tells whether text can be typed into an element. */
export function isField(element: EventTarget | null): element is Field {
  if (element instanceof HTMLTextAreaElement) return !element.readOnly && !element.disabled;
  return element instanceof HTMLInputElement && TYPES.includes(element.type)
    && !element.readOnly && !element.disabled;
}

/** Does what a key means, but for keys that change the keypad itself. */
export function press(field: Field, key: Key): void {
  if (key.kind === "text") insertAtCaret(field, key.text);
  if (key.kind === "symbol") {
    const symbol = SYMBOLS.find(({ name }) => name === key.name);
    if (symbol) typeSymbol(field, symbol);
  }
  if (key.kind === "command") act(field, key.name);
}

function act(field: Field, name: Command): void {
  const end = field.selectionEnd ?? field.value.length;
  const start = field.selectionStart ?? end;
  switch (name) {
    case "back":
      if (start === end) field.setSelectionRange(before(field.value, start), end);
      if (field.selectionStart !== field.selectionEnd) insertAtCaret(field, "");
      else field.focus({ preventScroll: true });
      return;
    case "left":
      return putCaret(field, start === end ? before(field.value, start) : start);
    case "right":
      return putCaret(field, start === end ? after(field.value, end) : end);
    case "enter":
      if (field instanceof HTMLTextAreaElement) insertAtCaret(field, "\n");
      return;
    case "undo":
      field.focus({ preventScroll: true });
      if (!undoInsertion(field)) document.execCommand("undo");
      return;
    case "shift":
    case "fold":
  }
}

function putCaret(field: Field, at: number): void {
  field.focus({ preventScroll: true });
  field.setSelectionRange(at, at);
}
