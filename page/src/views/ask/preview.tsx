// The preview of a field whose text has formulas, a moment after the last change. Long texts have
// none: typesetting a pasted book would stop the page.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { t } from "../../strings/index.ts";
import { formulas } from "./formulas.ts";
import { LazyProse } from "./lazy-prose.tsx";

const SETTLE_MS = 300;
const PREVIEWED_CHARS_MAX = 20_000;

export function Preview({ text, of }: { text: string; of: string }) {
  const shown = useSignal("");
  useEffect(() => {
    const timer = setTimeout(() => {
      const isWorthIt = text.length <= PREVIEWED_CHARS_MAX && formulas(text).length > 0;
      shown.value = isWorthIt ? text : "";
    }, SETTLE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  if (!shown.value) return null;
  const words = t().ask;
  return (
    <section class="preview" aria-label={words.previewOf(of)} tabIndex={0}>
      <p class="quiet" aria-hidden="true">{words.preview}</p>
      <LazyProse text={shown.value} />
    </section>
  );
}
