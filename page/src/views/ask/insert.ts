// Types text into a field as if by hand: at the caret, undone by Ctrl+Z, noticed by all that
// listens to the field's input. The symbol bar uses it, and a keypad on the screen of a kiosk can:
// its keys call insertAtCaret on focusedField(). Decides nothing about what is typed.

export type Field = HTMLTextAreaElement | HTMLInputElement;

/** What the fallback needs to take an insertion back. */
interface Typed { start: number; removed: string; inserted: string; lengthAfter: number }

const UNDO_MAX = 100;
const typed = new WeakMap<Field, Typed[]>();
let latest: Field | null = null;

/** Remembers the field that got the focus. */
export function noteFocus(field: Field): void {
  latest = field;
}

/** Returns the field that had the focus last, while it is on the page. */
export function focusedField(): Field | null {
  return latest?.isConnected ? latest : null;
}

/** Replaces the selection of a field by a text and puts the caret `caretOffset` characters after
    the start of that text, by default behind it. Gives the focus to the field. */
export function insertAtCaret(field: Field, text: string, caretOffset = text.length): void {
  const start = field.selectionStart ?? field.value.length;
  const end = field.selectionEnd ?? start;
  field.focus({ preventScroll: true });
  // Safari puts the caret elsewhere when a field gets the focus.
  field.setSelectionRange(start, end);
  if (!typeNatively(field, text)) typeByHand(field, text, start, end);
  field.setSelectionRange(start + caretOffset, start + caretOffset);
}

/** Takes back the last insertion that the browser's own undo does not know; returns whether there
    was one. Call it for Ctrl+Z before the browser acts. */
export function undoInsertion(field: Field): boolean {
  const last = typed.get(field)?.pop();
  if (!last) return false;
  const { start, removed, inserted, lengthAfter } = last;
  const end = start + inserted.length;
  // What was typed since then comes first, and the browser undoes that.
  const isLast = field.value.length === lengthAfter && field.value.slice(start, end) === inserted;
  if (!isLast) {
    typed.get(field)?.push(last);
    return false;
  }
  field.setRangeText(removed, start, end, "select");
  tell(field);
  return true;
}

/** Types by the editing command, which keeps the browser's undo. */
function typeNatively(field: Field, text: string): boolean {
  const before = field.value.length - ((field.selectionEnd ?? 0) - (field.selectionStart ?? 0));
  try {
    // Firefox before 89 does not have it for fields: it returns false or throws.
    const isDone = document.execCommand("insertText", false, text);
    return isDone && field.value.length === before + text.length;
  } catch {
    return false;
  }
}

function typeByHand(field: Field, inserted: string, start: number, end: number): void {
  const removed = field.value.slice(start, end);
  field.setRangeText(inserted, start, end, "end");
  const undos = typed.get(field) ?? [];
  undos.push({ start, removed, inserted, lengthAfter: field.value.length });
  if (undos.length > UNDO_MAX) undos.shift();
  typed.set(field, undos);
  tell(field);
}

function tell(field: Field): void {
  field.dispatchEvent(new Event("input", { bubbles: true }));
}
