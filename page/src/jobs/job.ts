// One job of the box, as the views, the title and the history read it; and how a page opens one.
// jobs/followed.ts is the job at work.

import type { ReadonlySignal, Signal } from "@preact/signals";
import { type Client, boxClient } from "../api/client.ts";
import { BoxError } from "../api/error.ts";
import type { Job } from "../api/shapes.ts";
import { isFinal } from "./events.ts";
import type { JobSource, Link } from "./follow.ts";
import { FollowedJob } from "./followed.ts";
import type { Part } from "./log.ts";
import { browser } from "./surroundings.ts";
import { expectAnswer } from "./unread.ts";

export { isFinal } from "./events.ts";

export interface LiveJob {
  readonly id: string;
  /** The last whole read, kept up to date by events; its texts are those of that read, except for
      the answer of a job that has ended. */
  readonly info: Signal<Job>;
  /** Whether `info` comes from the box. */
  readonly hasRead: ReadonlySignal<boolean>;
  readonly link: ReadonlySignal<Link>;
  /** Why the box is not heard, or does not know the job. */
  readonly linkError: ReadonlySignal<BoxError | null>;
  /** `performance.now()` when the last estimate came. */
  readonly etaReadAt: ReadonlySignal<number>;
  /** Rises with each event, and for text every 100 ms at most; read `text` after it. */
  readonly revision: ReadonlySignal<number>;
  /** The attempt whose text stands for the job: the vote's best, else 0. */
  readonly shownAttempt: ReadonlySignal<number>;
  /** Estimated while the job runs, exact at its end; of all attempts together. */
  readonly tokens: ReadonlySignal<number>;
  /** Returns the text so far of one part of an attempt, without the white space around it. */
  text(attempt: number, part: Part): string;
  /** Returns whether `text` has all that an attempt has written; `loadAll` gets the others. */
  holds(attempt: number): boolean;
  /** Reads the texts of all attempts, from the beginning of the log. */
  loadAll(): Promise<void>;
  stop(): Promise<void>;
  finish(): Promise<void>;
  /** Ends all connections; what was read stays. */
  close(): void;
}

/** Follows a job of this browser. `known` is what the page knows of it already, to be shown until
    it has been read. */
export function openJob(id: string, known: Partial<Job> = {}): LiveJob {
  const job = new FollowedJob(id, sourceOf(boxClient, id), browser, known);
  job.info.subscribe(({ state }) => {
    if (job.hasRead.peek() && !isFinal(state)) expectAnswer(id);
  });
  return job;
}

/** Follows a job that its owner shares, which can only be read. */
export function openShared(token: string): LiveJob {
  const refuse = () => Promise.reject(new BoxError("forbidden", "this job is another browser's"));
  const source = {
    read: (signal: AbortSignal) => boxClient.getShared(token, signal),
    openEvents: (from: string, signal: AbortSignal) =>
      boxClient.openSharedEvents(token, from, signal),
    stop: refuse,
    finish: refuse,
  };
  return new FollowedJob(token, source, browser, {});
}

export function sourceOf(client: Client, id: string): JobSource {
  return {
    read: (signal) => client.getJob(id, signal),
    openEvents: (from, signal) => client.openEvents(id, from, signal),
    stop: () => client.stopJob(id),
    finish: () => client.finishJob(id),
  };
}
