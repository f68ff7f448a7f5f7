// A growing Markdown text as a component, for the answer, the question and short texts.

import { useLayoutEffect, useRef } from "preact/hooks";
import { ProseView } from "./prose.ts";

interface Props {
  text: string;
  /** Whether nothing follows. */
  isComplete: boolean;
  /** False for long texts: they are rendered only where somebody looks. Read once. */
  typesetAll?: boolean;
  class?: string;
}

export function Prose({ text, isComplete, typesetAll = true, class: name }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<ProseView | null>(null);
  useLayoutEffect(() => {
    const made = new ProseView({ typesetAll });
    view.current = made;
    place.current?.append(made.element);
    return () => made.destroy();
  }, []);
  useLayoutEffect(() => view.current?.update(text, isComplete), [text, isComplete]);
  return <div class={name} ref={place} />;
}
