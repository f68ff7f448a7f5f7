// A text that may have hundreds of blocks: the thinking. Blocks are rendered only once they are
// near the screen.

import { useLayoutEffect, useRef } from "preact/hooks";
import { ProseView } from "../../text/prose.ts";

interface LongProseProps { text: string; isComplete: boolean }

export function LongProse({ text, isComplete }: LongProseProps) {
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<ProseView | null>(null);
  useLayoutEffect(() => {
    const made = new ProseView({ typesetAll: false });
    view.current = made;
    place.current?.append(made.element);
    return () => made.destroy();
  }, []);
  useLayoutEffect(() => view.current?.update(text, isComplete), [text, isComplete]);
  return <div ref={place} />;
}
