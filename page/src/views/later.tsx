// A part of the page whose code is loaded when it is shown first: the first sight of the page need
// not wait for what few people open. A part that cannot be loaded leaves its failure unhandled on
// purpose, so that main.tsx loads a page again whose parts are gone; if that does not help, a
// sentence stands in its place.

import { useSignal } from "@preact/signals";
import type { ComponentType, FunctionComponent } from "preact";
import { useEffect } from "preact/hooks";
import { t } from "../strings/index.ts";

export type LaterPart<P> = FunctionComponent<P> & {
  /** Loads the code, so that it is there when it is needed. */
  preload(): void;
};

/** Makes a component of one that is loaded; each show of it tries again what failed. */
export function later<P extends object>(load: () => Promise<ComponentType<P>>): LaterPart<P> {
  let part: ComponentType<P> | null = null;
  let coming: Promise<ComponentType<P>> | null = null;
  const fetchPart = () => {
    coming ??= load().then(
      (loaded) => (part = loaded),
      (error) => {
        coming = null;
        throw error;
      },
    );
    return coming;
  };

  function Later(props: P) {
    const shown = useSignal(part);
    const isLost = useSignal(false);
    useEffect(() => {
      if (shown.peek()) return;
      void fetchPart().then(
        (loaded) => (shown.value = loaded),
        (error) => {
          isLost.value = true;
          throw error;
        },
      );
    }, []);
    const Part = shown.value;
    if (Part) return <Part {...props} />;
    return isLost.value ? <Lost /> : null;
  }
  Later.preload = () => {
    // The part that needs it tries again, and says so if that fails too.
    fetchPart().catch(() => {});
  };
  return Later;
}

/** Browsers may remember that a part could not be loaded until the page is loaded again. */
function Lost() {
  const { errors, tryAgain } = t().client;
  return (
    <div class="notice bad">
      <p>{errors.unreachable.what} {errors.unreachable.remedy}</p>
      <button type="button" onClick={() => location.reload()}>{tryAgain}</button>
    </div>
  );
}
