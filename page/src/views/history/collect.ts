// Reads jobs one after the other for a file, and hands the file to the browser. What the page does
// not show of a hint, it does not write either.

import { BoxError, getJob } from "../../api/client.ts";
import type { Job } from "../../api/shapes.ts";
import { withoutBoxes } from "../../text/value.ts";
import { isHidden } from "./wording.ts";

/** A browser may begin to read the file some time after it was offered. */
const FILE_KEPT_MS = 60_000;

/** Reads jobs in the order of their ids; leaves out those that are gone. */
export async function collect(
  ids: readonly string[], done: (count: number) => void, signal: AbortSignal,
): Promise<Job[]> {
  const jobs: Job[] = [];
  for (const [index, id] of ids.entries()) {
    try {
      const job = await getJob(id, signal);
      jobs.push(isHidden(job) ? withoutSolution(job) : job);
    } catch (error) {
      if (!(error instanceof BoxError) || error.kind !== "not_found") throw error;
    }
    done(index + 1);
  }
  return jobs;
}

function withoutSolution(job: Job): Job {
  const attempt_results = job.attempt_results.map((result) => ({ ...result, value: null }));
  const answer = withoutBoxes(job.answer);
  return { ...job, thinking: "", answer, value: null, votes: null, attempt_results };
}

/** Has the browser save a text as a file. */
export function save(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  document.body.appendChild(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), FILE_KEPT_MS);
}
