// Reads something of the box again and again while the page is seen.

import { type ReadonlySignal, useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { type BoxError, asBoxError } from "../../../api/error.ts";
import { asOwner } from "./session.ts";

export interface Followed<T> {
  /** What was read last; null before. */
  readonly value: ReadonlySignal<T | null>;
  /** Why it could not be read the last time. */
  readonly error: ReadonlySignal<BoxError | null>;
  readNow(): Promise<void>;
}

/** Follows what `read` returns, at this interval in milliseconds. `read` must not change. */
export function useFollowed<T>(read: () => Promise<T>, everyMs: number): Followed<T> {
  const value = useSignal<T | null>(null);
  const error = useSignal<BoxError | null>(null);
  const readNow = useMemo(() => async () => {
    try {
      value.value = await asOwner(read);
      error.value = null;
    } catch (thrown) {
      const failed = asBoxError(thrown);
      // The same trouble again keeps its line, and its countdown.
      if (failed.kind !== error.peek()?.kind) error.value = failed;
    }
  }, []);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    const look = async () => {
      clearTimeout(timer);
      if (document.hidden) return;
      await readNow();
      clearTimeout(timer);
      if (!isOver) timer = setTimeout(() => void look(), everyMs);
    };
    const shown = () => void look();
    document.addEventListener("visibilitychange", shown);
    void look();
    return () => {
      isOver = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", shown);
    };
  }, []);
  return { value, error, readNow };
}
