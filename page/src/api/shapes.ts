// The JSON of the box's API (docs/api.md, docs/jobs.md, /openapi.json), as far as the page reads
// it.

/** States of a job; the last three are final. */
export type JobState = "queued" | "running" | "done" | "stopped" | "failed";

/** How an attempt or a job ended. */
export type Finish = "done" | "budget" | "stopped" | "failed";

/** The box's kinds of errors, and two of the page's own: the box cannot be reached, or its reply
    makes no sense. */
export type ErrorKind =
  | "bad_request" | "unauthorized" | "forbidden" | "not_found" | "conflict" | "too_long"
  | "misdirected" | "too_many" | "internal" | "bad_model" | "environment" | "busy" | "stopped"
  | "no_model" | "no_memory" | "no_space"
  | "unreachable" | "nonsense";

/** An estimate in seconds: the median, and the bounds that hold in 80 % of cases. */
export interface Eta { seconds: number; low: number; high: number }

export interface Figures {
  prompt_tokens: number;
  completion_tokens: number;
  thinking_tokens: number;
  thinking_was_cut_off: boolean;
  first_token_seconds: number;
  decode_seconds: number;
  tokens_per_second: number;
}

export interface Vote { value: string; count: number; attempt_indices: number[] }

/** The state of a vote; `agreement` is the leading value's share of the ended attempts. */
export interface Votes {
  wanted: number;
  ended: number;
  votes: Vote[];
  agreement: number;
  best_attempt: number | null;
}

export interface ErrorBody { kind: ErrorKind; message: string; remedy: string }

export interface AttemptResult {
  attempt: number;
  finish: Finish;
  value: string | null;
  figures: Figures;
  error?: ErrorBody;
}

/** `GET /api/jobs/ID`. */
export interface Job {
  id: string;
  state: JobState;
  mode: string;
  question: string;
  attempt_of_student: string | null;
  previous: string | null;
  asked_at: number;
  ended_at: number | null;
  attempts_wanted: number;
  budget_tokens: number;
  /** Position in the log that the texts reach, for `?from=`. */
  offset: string;
  place: number | null;
  eta: Eta | null;
  /** Thinking and answer so far of the attempt that represents the job. */
  thinking: string;
  answer: string;
  best_attempt: number;
  attempts_ended: number;
  attempt_results: AttemptResult[];
  votes: Votes | null;
  /** The boxed value of the answer, once there is one. */
  value: string | null;
  finish?: Finish;
  figures?: Figures;
  error?: ErrorBody;
}

/** An entry of `GET /api/jobs`. */
export interface ListedJob {
  id: string;
  state: JobState;
  mode: string;
  question: string;
  previous: string | null;
  attempts_wanted: number;
  asked_at: number;
  ended_at: number | null;
  value: string | null;
}

export interface JobList { jobs: ListedJob[]; next: string | null }

/** `POST /api/jobs`, answered with 202. */
export interface AcceptedJob {
  id: string;
  state: JobState;
  place: number | null;
  eta_s: number | null;
}

/** What `POST /api/jobs` is sent. */
export interface Ask {
  question: string;
  mode?: string;
  attempts?: number;
  budget_tokens?: number;
  previous?: string;
  attempt_of_student?: string;
}

/** An entry of `GET /api/modes`. */
export interface Mode {
  name: string;
  about: string;
  is_default: boolean;
  /** Whether attempts can vote. */
  votes: boolean;
  attempts: number;
  budget_tokens: number;
  /** Whether the mode reads a student's own work. */
  student_attempt: boolean;
  /** Whether the installed model can do it; the demo model cannot do all. */
  is_supported: boolean;
  /** Questions that the installed model answers well, to tap. */
  examples: string[];
}

/** `GET /api/modes`. */
export interface ModeList { modes: Mode[]; is_demo: boolean; question_tokens_max: number }

/** `GET /api/estimate?mode=&attempts=`: when a question asked now would be answered. */
export interface Estimate { eta: Eta | null; place: number }

/** `GET /healthz`. */
export interface Health {
  state: "loading" | "ready" | "failed" | "closing";
  bytes_loaded: number;
  bytes_total: number;
  demo: boolean;
}

/** What the page reads of `GET /api/box`. */
export interface BoxInfo {
  version: string;
  model: { name: string };
  /** Whether programs in answers can be run (no box offers it yet). */
  run?: boolean;
  /** Addresses at which other devices reach the box, the best first. */
  addresses: string[];
}

// The events of a job, `GET /api/jobs/ID/events`.

export interface QueuedEvent { state: "queued" | "running"; place: number | null; eta: Eta | null }
export interface TextEvent { attempt: number; text: string }
export interface RewindEvent { to: number }
export interface DoneEvent {
  state: "done" | "stopped";
  finish: Finish;
  best_attempt: number;
  answer: string;
  votes: Votes | null;
  figures: Figures;
}
export interface FailedEvent { error: ErrorBody }
