// The icon of the page's tab, for a person who waits in another one: a ring that fills with the
// share of the expected time, then a tick, or a mark for a job that failed or was stopped.

export type Icon =
  | { kind: "progress"; share: number }
  | { kind: "done" } | { kind: "stopped" } | { kind: "failed" };

/** The icon is drawn again only for a change that can be seen at 16 pixels. */
const STEP = 0.05;

const [BLUE, GREEN, RED, GREY] = ["#1b5fc1", "#2f7d43", "#b3261e", "#858e99"];
const RADIUS = 12;
const CIRCLE = `cx="16" cy="16" r="${RADIUS}" fill="none" stroke-width="7"`;
const ROUND = 2 * Math.PI * RADIUS;

/** Returns an icon as a `data:` address, the same for icons that look the same. */
export function iconAddress(icon: Icon): string {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${drawing(icon)}</svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

function drawing(icon: Icon): string {
  if (icon.kind === "done") return disc(GREEN) + stroke("M9 16.5l5 5 9-10");
  if (icon.kind === "failed") return disc(RED) + stroke("M16 8v10M16 22.5v1");
  if (icon.kind === "stopped") return `${disc(GREY)}<path fill="#fff" d="M11 11h10v10H11z"/>`;
  const share = Math.round(Math.min(1, Math.max(0, icon.share)) / STEP) * STEP;
  const ring = (colour: string, more: string) =>
    `<circle ${CIRCLE} stroke="${colour}" ${more}/>`;
  const part = `${(share * ROUND).toFixed(1)} ${ROUND.toFixed(1)}`;
  const filled = `stroke-dasharray="${part}" transform="rotate(-90 16 16)" `;
  return ring("#c9d1da", "") + (share > 0 ? ring(BLUE, filled) : "");
}

const disc = (colour: string) => `<circle cx="16" cy="16" r="15" fill="${colour}"/>`;

const stroke = (path: string) =>
  `<path d="${path}" fill="none" stroke="#fff" stroke-width="3.5" stroke-linecap="round"/>`;
