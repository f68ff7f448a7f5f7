// Whether the owner is signed in, as far as the last reply told. Any request that the box refuses
// because it does not know the owner ends the session here, too.

import { signal } from "@preact/signals";
import { BoxError, asBoxError } from "../../../api/error.ts";
import { getSession, signOut } from "../../../api/owner.ts";

/** `unset`: the box has no PIN. */
export type Standing = "unknown" | "unset" | "out" | "in";

export const standing = signal<Standing>("unknown");
/** Whether a session ended by itself. */
export const hasExpired = signal(false);

export async function readSession(): Promise<void> {
  const { signed_in: isIn, has_pin: hasPin } = await getSession();
  standing.value = isIn ? "in" : hasPin ? "out" : "unset";
}

/** Does something as the owner; a session that has ended shows the sign-in again. */
export async function asOwner<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (thrown) {
    const error = asBoxError(thrown);
    if (error.kind === "unauthorized") {
      if (standing.peek() === "in") hasExpired.value = true;
      standing.value = "out";
    }
    throw error;
  }
}

export async function leaveSession(): Promise<void> {
  try {
    await signOut();
  } catch (error) {
    // It had ended already.
    if (!(error instanceof BoxError) || error.kind !== "unauthorized") throw error;
  }
  hasExpired.value = false;
  standing.value = "out";
}
