// Clears a kiosk for the next person: what the box keeps of this browser, what the browser stores,
// and the page itself, so that neither Back nor a field shows anything of the last one.

import { signal } from "@preact/signals";
import { type BoxError, asBoxError, deleteBrowser } from "../../../api/client.ts";
import { current, isLeaving } from "../../../state.ts";
import { forgetDraft } from "../../ask/draft.ts";

const AGAIN_MS = 3_000;

/** Why the box has not cleared yet; it is asked again and again. */
export const leaveError = signal<BoxError | null>(null);

export async function leave(): Promise<void> {
  isLeaving.value = true;
  current.peek()?.close();
  current.value = null;
  // Until the box has forgotten the browser, the next person would see its questions.
  while (!(await hasForgotten())) await new Promise((again) => setTimeout(again, AGAIN_MS));
  forgetDraft();
  for (const storage of ["localStorage", "sessionStorage"] as const) {
    try {
      window[storage].clear();
    } catch {
      // Nothing was stored then.
    }
  }
  // Without the hash, which would only move within the page. The kiosk adds nothing to the
  // browser's history, so that this leaves one entry.
  location.replace(location.pathname + location.search);
}

async function hasForgotten(): Promise<boolean> {
  try {
    // What the last person took along can still be read with its link.
    await deleteBrowser("unshared");
    return true;
  } catch (error) {
    leaveError.value = asBoxError(error);
    return false;
  }
}
