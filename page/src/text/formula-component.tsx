// One formula as a component: the value of a vote, a preview. Shows its source until it is typeset,
// and instead of it where it cannot be.

import { useLayoutEffect, useRef } from "preact/hooks";
import { cleanText } from "./clean.ts";
import { isWords } from "./formula.ts";
import { createFormula, leaveUntypeset, typesetSoon } from "./typeset.ts";

export { preloadMath } from "./formula.ts";

interface Props {
  /** TeX without delimiters, or plain words. */
  tex: string;
  display?: boolean;
}

export function Formula({ tex, display: isDisplay = false }: Props) {
  const place = useRef<HTMLSpanElement>(null);
  useLayoutEffect(() => {
    const text = cleanText(tex).trim();
    const element = createFormula(text, isDisplay, text);
    place.current?.append(element);
    if (!isWords(text)) typesetSoon(element);
    return () => {
      leaveUntypeset(element);
      element.remove();
    };
  }, [tex, isDisplay]);
  return <span class="single-formula" ref={place} />;
}
