// What keys do in the form: Enter asks or starts a line, arrows move inside a toolbar or a group of
// choices. Pure decisions; the components own the events. An on-screen keypad does not come through
// here: it types with insertAtCaret of insert.ts.

/** The part of a KeyboardEvent that decides. */
export type KeyPress = Pick<
  KeyboardEvent,
  "key" | "keyCode" | "isComposing" | "shiftKey" | "ctrlKey" | "metaKey" | "altKey" | "timeStamp"
>;

/** The field that has the focus: a pupil's work has many lines, a question often one. */
export type Where = "question" | "work";

/** How text is being typed. */
export interface Hands {
  isTouch: boolean;
  /** Time stamp of the last compositionend event, or -Infinity. */
  composedAt: number;
}

/** The key code of keys that an input method has taken. */
const TAKEN_BY_INPUT_METHOD = 229;
/** Safari sends the Enter that ends a composition after compositionend, within the same moment. */
const COMPOSED_MS = 100;

/** Tells whether a key pressed in a field asks the question. */
export function asks(press: KeyPress, where: Where, { isTouch, composedAt }: Hands): boolean {
  if (press.key !== "Enter") return false;
  // Half a word is never asked, not even with Ctrl.
  if (press.isComposing || press.keyCode === TAKEN_BY_INPUT_METHOD) return false;
  if (press.timeStamp - composedAt < COMPOSED_MS) return false;
  if (press.ctrlKey || press.metaKey) return true;
  // A touch keyboard has no Shift+Enter, so that its Enter must start lines.
  return where === "question" && !press.shiftKey && !press.altKey && !isTouch;
}

/** Tells whether a key is the one that takes back the last change. */
export function undoes(press: KeyPress): boolean {
  const isCommand = press.ctrlKey || press.metaKey;
  return isCommand && !press.shiftKey && !press.altKey && press.key.toLowerCase() === "z";
}

/** Returns the item that a key moves to from item `at` of `count`, or null for any other key. */
export function moved(key: string, at: number, count: number): number | null {
  switch (key) {
    case "ArrowRight":
    case "ArrowDown":
      return (at + 1) % count;
    case "ArrowLeft":
    case "ArrowUp":
      return (at + count - 1) % count;
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return null;
  }
}
