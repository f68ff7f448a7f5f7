// A text with its formulas typeset, as plain text until the code for that is loaded: the form is
// ready to type without it. Used by the preview and the folded question.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Prose } from "../../text/prose-component.tsx";

export function LazyProse({ text }: { text: string }) {
  const prose = useSignal<typeof Prose | null>(null);
  useEffect(() => {
    if (prose.peek()) return;
    // A failure stays unhandled on purpose: main.tsx loads a page again whose parts are gone. The
    // next text tries again, in case the box was gone.
    void import("../../text/prose-component.tsx").then((part) => (prose.value = part.Prose));
  }, [text]);
  const Typeset = prose.value;
  return Typeset ? <Typeset text={text} isComplete={true} /> : <p class="as-typed">{text}</p>;
}
