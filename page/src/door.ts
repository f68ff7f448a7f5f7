// What the address opens: the page of a browser, the same page at a kiosk, a question that somebody
// shares, or the owner's view. Pure; state.ts asks it.

export type Door =
  | { name: "page" }
  /** `minutes`: how long nobody has to touch it until the next person starts. */
  | { name: "kiosk"; minutes: number }
  /** `isBig`: for a projector. */
  | { name: "shared"; token: string; isBig: boolean }
  | { name: "owner" };

const KIOSK_MINUTES = 3;
const KIOSK_MINUTES_MIN = 1;
const KIOSK_MINUTES_MAX = 60;

/** The parts of an address that count, as `location` has them. */
export type Address = Pick<Location, "pathname" | "search" | "hash">;

export function doorOf({ pathname, search, hash }: Address): Door {
  if (/^\/owner\/?$/.test(pathname)) return { name: "owner" };
  const query = new URLSearchParams(search);
  // Browsers do not send what follows the #, so that a token there stays out of every log.
  const token = /^#shared\/([^/]+)$/.exec(hash)?.[1] ?? query.get("shared");
  if (token) return { name: "shared", token, isBig: query.has("big") };
  const minutes = query.get("kiosk");
  return minutes === null ? { name: "page" } : { name: "kiosk", minutes: minutesOf(minutes) };
}

/** Returns the path that shows a shared question large, from the one that shows it. */
export function bigPath(path: string): string {
  const [before = "", hash] = path.split("#");
  const big = `${before}${before.includes("?") ? "&" : "?"}big`;
  return hash === undefined ? big : `${big}#${hash}`;
}

function minutesOf(text: string): number {
  const wanted = /^\s*\d{1,4}\s*$/.test(text) ? Number(text) : KIOSK_MINUTES;
  return Math.min(KIOSK_MINUTES_MAX, Math.max(KIOSK_MINUTES_MIN, wanted));
}
