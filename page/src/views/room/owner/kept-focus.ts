// Keeps the focus in a list that changes by itself: an entry that moves keeps it, and when the
// entry is gone, it goes to a place that stays. Without this a keyboard would start at the top of
// the page every few seconds.

import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

/** Watches the focus within `list`; `refuge` gets it when the focused element is gone. */
export function useKeptFocus(
  list: RefObject<HTMLElement | null>, refuge: RefObject<HTMLElement | null>,
): void {
  const latest = useRef<HTMLElement | null>(null);
  useEffect(() => {
    const note = ({ target }: FocusEvent) => {
      const isInside = target instanceof HTMLElement && list.current?.contains(target);
      latest.current = isInside ? target : null;
    };
    document.addEventListener("focusin", note);
    return () => document.removeEventListener("focusin", note);
  }, []);
  useLayoutEffect(() => {
    // Browsers give the focus to nobody when its element moves or goes.
    if (!latest.current || document.activeElement !== document.body) return;
    const isThere = latest.current.isConnected;
    (isThere ? latest.current : refuge.current)?.focus({ preventScroll: true });
  });
}
