// When a job was first seen waiting and running, in this browser's time: the clock of a board
// without a battery may be days off, so `asked_at` is only believed where nothing better is known.
// Kept in sessionStorage, so that a reload does not start the time again.

const BELIEVED_S = 6 * 3600;

/** Returns when something was first seen, in milliseconds of Date.now(); now, if it is now.
    `claimedS`: the box's time of it, in seconds since 1970. */
export function firstSeen(what: "asked" | "ran", id: string, claimedS: number | null): number {
  const [key, now] = [`${what}:${id}`, Date.now()];
  try {
    const kept = Number(sessionStorage.getItem(key));
    if (kept > 0 && kept <= now) return kept;
    const at = believed(claimedS, now);
    sessionStorage.setItem(key, String(at));
    return at;
  } catch {
    return believed(claimedS, now);
  }
}

/** Forgets a job's times, once it is over. */
export function forgetTimes(id: string): void {
  try {
    sessionStorage.removeItem(`asked:${id}`);
    sessionStorage.removeItem(`ran:${id}`);
  } catch {
    // Nothing was kept then.
  }
}

/** Returns the box's time if it is plausible, else now. */
export function believed(claimedS: number | null, nowMs: number): number {
  if (claimedS === null) return nowMs;
  const age = nowMs / 1000 - claimedS;
  return age >= 0 && age <= BELIEVED_S ? claimedS * 1000 : nowMs;
}
