// The name and the sentence of a mode in the page's language. The built-in modes are translated; an
// owner's own modes are shown as the box describes them.

import { t } from "../../strings/index.ts";

export interface ModeWords { name: string; about: string }

/** Returns the words of a mode; `about` is the box's own sentence, for modes of an owner. */
export function modeWords(mode: string, about = ""): ModeWords {
  const known: Record<string, ModeWords> = t().ask.modes;
  // A mode may have any name, also that of something every object has.
  if (Object.prototype.hasOwnProperty.call(known, mode)) return known[mode] as ModeWords;
  return { name: mode.charAt(0).toUpperCase() + mode.slice(1), about };
}
