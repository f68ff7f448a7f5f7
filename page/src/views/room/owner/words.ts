// The words of the owner's view, in the page's language; loaded with the view.

import { computed } from "@preact/signals";
import { owner as en } from "../../../strings/en/owner.ts";
import { language } from "../../../strings/index.ts";
import { owner as zh } from "../../../strings/zh/owner.ts";

const words = computed(() => (language.value === "zh" ? zh : en));

/** Returns the words; a component that reads them is rendered again in another language. */
export function w(): typeof en {
  return words.value;
}
