// What the events of a job say (docs/jobs.md): text for its log, or a change of what is known of
// it. Pure; jobs/followed.ts applies them.

import { BoxError } from "../api/error.ts";
import type {
  AttemptResult, DoneEvent, FailedEvent, Job, JobState, QueuedEvent, RewindEvent, TextEvent, Votes,
} from "../api/shapes.ts";
import type { ServerEvent } from "../api/sse.ts";
import type { Part } from "./log.ts";

export type JobEvent =
  | { type: "text"; attempt: number; part: Part; text: string }
  | { type: "rewind"; to: number }
  | { type: "change"; change: (job: Job) => Partial<Job> };

export function isFinal(state: JobState): boolean {
  return state !== "queued" && state !== "running";
}

/** Reads an event; null for one that this page does not know. Throws `nonsense` without JSON. */
export function readEvent({ type, data }: ServerEvent): JobEvent | null {
  const body = parse(data);
  if (type === "thinking" || type === "answer") {
    const { attempt, text } = body as TextEvent;
    return { type: "text", attempt, part: type, text };
  }
  if (type === "rewind") return { type: "rewind", to: (body as RewindEvent).to };
  const change = changeOf(type, body);
  return change && { type: "change", change };
}

function changeOf(type: string, body: unknown): ((job: Job) => Partial<Job>) | null {
  switch (type) {
    case "queued": {
      const { state, place, eta } = body as QueuedEvent;
      return () => ({ state, place, eta });
    }
    case "attempt":
      return ({ attempt_results: known }) => withResult(known, body as AttemptResult);
    case "vote":
      return () => ({ votes: body as Votes });
    case "done": {
      const { state, finish, best_attempt, answer, votes, figures } = body as DoneEvent;
      const end = { state, finish, best_attempt, answer, votes, figures };
      return () => ({ ...end, place: null, eta: null });
    }
    case "failed": {
      const { error } = body as FailedEvent;
      return () => ({ state: "failed", finish: "failed", error, place: null, eta: null });
    }
    default:
      return null;
  }
}

/** Adds the end of an attempt; the box sends those of the past again to each reader. */
function withResult(known: AttemptResult[], result: AttemptResult): Partial<Job> {
  const others = known.filter(({ attempt }) => attempt !== result.attempt);
  const attempt_results = [...others, result];
  return { attempt_results, attempts_ended: attempt_results.length };
}

function parse(data: string): unknown {
  try {
    const body: unknown = JSON.parse(data);
    if (typeof body === "object" && body !== null) return body;
  } catch {
    // Said below.
  }
  throw new BoxError("nonsense", "an event of the job is not a JSON object");
}
