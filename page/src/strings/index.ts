// The words of the page in its two languages. A component reads them by `t()`, which subscribes it
// to the language: changing it changes every word at once. Chinese is loaded when it is wanted.

import { batch, computed, signal } from "@preact/signals";
import { en } from "./en.ts";

export type Language = "en" | "zh";

/** The words of one language: `Strings` of any language have the shape of the English ones. */
export type Strings = typeof en;

const KEY = "language";

const words = signal<Strings>(en);

/** The language of the words on the page. */
export const language = signal<Language>("en");

/** The tag of the page's language, for `lang` attributes and Intl. */
export const languageTag = computed(() => (language.value === "zh" ? "zh-CN" : "en"));

/** Returns the words of the page's language. */
export function t(): Strings {
  return words.value;
}

/** Returns the language that was chosen on this page before, else the browser's. */
export function preferredLanguage(): Language {
  try {
    const chosen = localStorage.getItem(KEY);
    if (chosen === "en" || chosen === "zh") return chosen;
  } catch {
    // Without storage the browser's own language counts.
  }
  const known = navigator.languages.find((tag) => /^(en|zh)\b/i.test(tag));
  return known?.toLowerCase().startsWith("zh") ? "zh" : "en";
}

/** Shows the page in a language, once its words are loaded. */
export async function showLanguage(wanted: Language): Promise<void> {
  const loaded = wanted === "zh" ? (await import("./zh.ts")).zh : en;
  batch(() => {
    words.value = loaded;
    language.value = wanted;
  });
}

/** Shows the page in a language from now on, also when it is opened again. */
export function chooseLanguage(wanted: Language): void {
  void showLanguage(wanted);
  try {
    localStorage.setItem(KEY, wanted);
  } catch {
    // It then holds until the page is closed.
  }
}
