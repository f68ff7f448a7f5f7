// Cleans a model's text before anything reads it: removes characters that nobody sees but that
// reorder or hide others (bidirectional controls, zero-width marks), and those that the renderer
// uses for itself. Works character by character, so that the cleaned text of a growing text grows.

/** Stands for a character that cannot be shown. */
const REPLACEMENT = "\uFFFD";

// Zero-width joiners stay: Persian, Hindi and emoji are spelled with them.
const UNSEEN = new RegExp(`[${[
  "\\u0001-\\u0008\\u000B-\\u001F\\u007F-\\u009F", // control characters, without tab and newline
  "\\u00AD\\u200B\\u2060-\\u2064\\uFEFF", // without width
  "\\u061C\\u200E\\u200F\\u202A-\\u202E\\u2066-\\u206F", // bidirectional controls
  "\\uFFF9-\\uFFFB", // interlinear annotation
].join("")}]`, "g");
// Private use: the renderer's placeholders, and without a font of their own not readable.
const UNREADABLE = /[\0\uE000-\uF8FF]/g;
/** A space that the renderer inserts to help the lexer, and removes again. */
const INSERTED = /\u205F/g;

export function cleanText(text: string): string {
  return text.replace(UNSEEN, "").replace(UNREADABLE, REPLACEMENT).replace(INSERTED, " ");
}
