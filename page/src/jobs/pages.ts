// A list of jobs that is read page by page, the latest first, while jobs are added at its beginning
// and deleted anywhere. Pure; jobs/history.ts reads the pages.

import type { JobList, ListedJob } from "../api/shapes.ts";

/** What was read of a list; `next` is where the next page begins, null at the end. */
export interface Pages { jobs: ListedJob[]; next: string | null }

/** Takes a new first page: it replaces what it covers, and older jobs stay behind it. */
export function refresh({ jobs, next }: Pages, page: JobList): Pages {
  const last = page.jobs[page.jobs.length - 1];
  const covered = last && page.next !== null ? jobs.findIndex(({ id }) => id === last.id) : -1;
  // Without a job in common, or where the page is all there is, nothing older is known.
  if (covered < 0) return page;
  return { jobs: [...page.jobs, ...jobs.slice(covered + 1)], next };
}

/** Adds the page that begins after `before`, unless the list has changed its end meanwhile. */
export function addPage({ jobs, next }: Pages, page: JobList, before: string): Pages {
  if (next !== before) return { jobs, next };
  const known = new Set(jobs.map(({ id }) => id));
  return { jobs: [...jobs, ...page.jobs.filter(({ id }) => !known.has(id))], next: page.next };
}
