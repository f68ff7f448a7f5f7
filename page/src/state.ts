// What the whole page shares: the state of the box, its modes, the route, the job on the screen,
// and the one polite live region. Knows nothing of how anything looks.

import { effect, signal } from "@preact/signals";
import { getHealth, getModes } from "./api/client.ts";
import type { Ask, Health, ModeList } from "./api/shapes.ts";
import { doorOf } from "./door.ts";
import { type LiveJob, openJob } from "./jobs/job.ts";

const AGAIN_MS = 1_000;
/** How often the box is looked at while it is well. */
const CALM_MS = 30_000;

export type BoxState = Health | { state: "gone" };

/** What the page shows; each has an address of its own, so that Back works. */
export type Route =
  | { name: "ask" } | { name: "job"; id: string } | { name: "history" } | { name: "connect" };

/** What the address opens; it stays the same while the page is open. */
export const door = doorOf(location);
export const box = signal<BoxState | null>(null);
export const modes = signal<ModeList | null>(null);
export const route = signal<Route>(routeOf(location.hash));
/** The job on the screen. */
export const current = signal<LiveJob | null>(null);
/** A question to ask again, for the form to take over. */
export const reask = signal<Ask | null>(null);
/** Whether a kiosk is being cleared for the next person: nothing of the last one is shown. */
export const isLeaving = signal(false);
/** The text of the one polite live region. */
export const said = signal("");

export function routeOf(hash: string): Route {
  const [name, id] = hash.replace(/^#/, "").split("/");
  if (name === "job" && id) return { name, id };
  return name === "history" || name === "connect" ? { name } : { name: "ask" };
}

export function addressOf(wanted: Route): string {
  if (wanted.name === "job") return `#job/${wanted.id}`;
  return wanted.name === "ask" ? "#" : `#${wanted.name}`;
}

export function go(wanted: Route): void {
  const address = addressOf(wanted);
  if (location.hash !== address && `${location.hash}#` !== address) {
    // At a kiosk nothing leads back to what the last person saw.
    if (door.name === "kiosk") history.replaceState(null, "", address);
    else history.pushState(null, "", address);
    scrollTo(0, 0);
  }
  route.value = wanted;
}

/** Has screen readers read a text when they are idle; the same text twice is read twice. */
export function say(text: string): void {
  said.value = said.peek() === text ? `${text}\u00A0` : text;
}

/** Follows the address, and opens and closes the job that it names. */
export function followRoute(): void {
  const read = () => {
    // Another part of the page: a shared question that is opened in a tab of this page, for one.
    if (JSON.stringify(doorOf(location)) !== JSON.stringify(door)) return location.reload();
    route.value = routeOf(location.hash);
  };
  addEventListener("popstate", read);
  addEventListener("hashchange", read);
  effect(() => {
    const wanted = route.value;
    const open = current.peek();
    if (wanted.name !== "job" || open?.id === wanted.id) return;
    open?.close();
    current.value = openJob(wanted.id);
    // Its answer will have formulas; loading what sets them now spares a jump of the lines later.
    void import("./text/formula.ts").then(({ preloadMath }) => preloadMath());
  });
}

/** Whether the modes were read since the box has been ready. */
let wasReady = false;

/** Looks at the box again and again: often until it is ready, seldom while it is. */
export async function watchBox(): Promise<void> {
  let state: BoxState = { state: "gone" };
  try {
    state = await getHealth();
    const isReady = state.state === "ready";
    // Another model has other modes, and a box that was not ready may have started again.
    const areOld = !modes.value || (isReady && !wasReady) || state.demo !== modes.value.is_demo;
    if (areOld) modes.value = await getModes();
    wasReady = isReady;
  } catch {
    // Not reachable: look again.
    wasReady = false;
  }
  box.value = state;
  const well = state.state === "ready" && wasReady;
  setTimeout(() => void watchBox(), well ? CALM_MS : AGAIN_MS);
}
