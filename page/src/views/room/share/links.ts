// The links that this browser has made, by the job they show. The box keeps only their hashes and
// allows a job one link, so that making a second one would break the first: the page remembers
// them, also when it is opened again. Without storage it remembers them until it is closed.

import { signal } from "@preact/signals";
import { type Share, asBoxError, getShared, shareJob, unshareJob } from "../../../api/client.ts";

const KEY = "links";
/** The oldest are forgotten: a link that was forgotten is made again. */
const LINKS_MAX = 50;

type Links = ReadonlyMap<string, Share>;

/** Links by the id of their job. */
export const links = signal<Links>(stored());

/** Makes a link to a job, unless there is one that works. */
export async function makeLink(id: string): Promise<void> {
  const known = links.peek().get(id);
  if (known && (await works(known.token))) return;
  const { token, path } = await shareJob(id);
  keep(id, { token, path });
}

export async function takeBack(id: string): Promise<void> {
  await unshareJob(id);
  keep(id, null);
}

/** It may have been taken back by another tab. */
async function works(token: string): Promise<boolean> {
  try {
    await getShared(token);
    return true;
  } catch (thrown) {
    const error = asBoxError(thrown);
    if (error.kind === "not_found") return false;
    throw error;
  }
}

function stored(): Links {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    if (Array.isArray(found)) return new Map(found.filter(isEntry));
  } catch {
    // No storage, or not our own text.
  }
  return new Map();
}

function isEntry(entry: unknown): entry is [string, Share] {
  if (!Array.isArray(entry) || typeof entry[0] !== "string") return false;
  const link = entry[1] as Partial<Share> | null;
  return typeof link?.token === "string" && typeof link.path === "string";
}

function keep(id: string, link: Share | null): void {
  const known = new Map(links.peek());
  known.delete(id);
  if (link) known.set(id, link);
  links.value = known;
  try {
    localStorage.setItem(KEY, JSON.stringify([...known].slice(-LINKS_MAX)));
  } catch {
    // Remembered by this page alone.
  }
}
