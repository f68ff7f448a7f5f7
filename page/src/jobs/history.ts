// The questions of this browser, the latest first, as the box lists them. The page stores none of
// them itself; it notes which answers have not been seen (jobs/unread.ts). The list and the steps
// of learning read it.

import { computed, signal } from "@preact/signals";
import { BoxError, deleteBrowser, deleteJob, listJobs } from "../api/client.ts";
import type { ListedJob } from "../api/shapes.ts";
import { isFinal } from "./events.ts";
import { type Pages, addPage, refresh } from "./pages.ts";
import { expected, markAllRead, markRead } from "./unread.ts";

export { markRead } from "./unread.ts";

const PAGE_JOBS = 50;
/** Largest page that the box sends. */
const PAGE_JOBS_MAX = 100;

const pages = signal<Pages>({ jobs: [], next: null });

export const history = computed<ListedJob[]>(() => pages.value.jobs);
/** Whether the box has older questions than those in `history`. */
export const hasMore = computed(() => pages.value.next !== null);
/** Whether the list has been read at all. */
export const hasLoaded = signal(false);
/** Questions whose answers are there and have not been seen. */
export const unread = computed<ReadonlySet<string>>(() => {
  const finished = history.value.filter(({ state }) => isFinal(state)).map(({ id }) => id);
  return new Set(finished.filter((id) => expected.value.has(id)));
});

let loading: Promise<void> | null = null;

/** Reads the latest questions again; older ones that were read stay. */
export function loadHistory(): Promise<void> {
  loading ??= readLatest().then(
    () => void (loading = null),
    (error) => {
      loading = null;
      throw error;
    },
  );
  return loading;
}

async function readLatest(): Promise<void> {
  const page = await listJobs(undefined, PAGE_JOBS);
  pages.value = refresh(pages.peek(), page);
  hasLoaded.value = true;
}

/** Reads older questions; returns whether there are more. */
export async function loadMore(): Promise<boolean> {
  const before = pages.peek().next;
  if (before === null) return false;
  try {
    pages.value = addPage(pages.peek(), await listJobs(before, PAGE_JOBS_MAX), before);
  } catch (error) {
    // Another page of this browser has deleted the question from which the list continues.
    if (!(error instanceof BoxError) || error.kind !== "not_found") throw error;
    pages.value = { jobs: [], next: null };
    await loadHistory();
  }
  return hasMore.peek();
}

/** Deletes a question and its answer from the box. */
export async function forget(id: string): Promise<void> {
  try {
    await deleteJob(id);
  } catch (error) {
    // Deleted by another page of this browser.
    if (!(error instanceof BoxError) || error.kind !== "not_found") throw error;
  }
  const hadMore = hasMore.peek();
  drop(id);
  // All that was read is deleted: the list continues with what the box has.
  if (hadMore && history.peek().length === 0) await loadHistory();
}

/** Deletes all questions of this browser from the box. */
export async function forgetAll(): Promise<void> {
  await deleteBrowser();
  pages.value = { jobs: [], next: null };
  markAllRead();
}

function drop(id: string): void {
  const { jobs, next } = pages.peek();
  const left = jobs.filter((job) => job.id !== id);
  // The box continues a list after a question that it has.
  const last = left[left.length - 1];
  pages.value = { jobs: left, next: next === id ? last?.id ?? null : next };
  markRead(id);
}
