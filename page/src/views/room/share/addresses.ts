// The addresses at which other devices reach the box, in the order in which to offer them. Pure.

export interface BoxAddress {
  /** With its scheme, without a path. */
  url: string;
  /** A name has to be looked up, which not every phone can do for `.local`. */
  kind: "number" | "name";
}

const LOOPBACK = /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\]|0\.0\.0\.0|\[::\])$/;
const NUMBER = /^(\d+\.\d+\.\d+\.\d+|\[.*\])$/;

/** Returns the addresses for other devices: numbers before names, `.local` last. `named` are those
    that the box names, the best first; `own` is where this page came from, which is known to work
    in this network unless it is loopback. */
export function reachable(named: readonly string[], own: string): BoxAddress[] {
  const urls = [own, ...named].map(originOf).filter((url) => url !== "" && !isLoopback(url));
  const unique = urls.filter((url, at) => urls.indexOf(url) === at);
  const ranked = unique.map((url, at) => ({ url, at, rank: rankOf(url) }));
  // Older browsers do not keep the order of equals.
  ranked.sort((a, b) => a.rank - b.rank || a.at - b.at);
  return ranked.map(({ url }) => ({ url, kind: isNumber(url) ? "number" : "name" }));
}

/** Returns the link that opens a path at an address. */
export function linkAt({ url }: BoxAddress, path: string): string {
  return url + (path.startsWith("/") ? path : `/${path}`);
}

/** Tells whether a host is this device itself, or any. */
export function isLoopbackHost(host: string): boolean {
  return LOOPBACK.test(host);
}

/** Returns scheme, host and port of an address, or "" if it is none. */
function originOf(address: string): string {
  try {
    const { protocol, host } = new URL(address.includes("://") ? address : `http://${address}`);
    return protocol === "http:" || protocol === "https:" ? `${protocol}//${host}` : "";
  } catch {
    return "";
  }
}

const hostOf = (url: string) => new URL(url).hostname;
const isLoopback = (url: string) => isLoopbackHost(hostOf(url));
const isNumber = (url: string) => NUMBER.test(hostOf(url));

function rankOf(url: string): number {
  if (/\.local$/.test(hostOf(url))) return 3;
  if (!isNumber(url)) return 2;
  return hostOf(url).startsWith("[") ? 1 : 0;
}
