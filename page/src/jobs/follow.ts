// Keeps a reader of one job up to date: reads the job, follows its events, and reconnects. It
// decides when there is a connection and which; what the replies mean is the reader's.
//
// A browser has six connections for the box. So a hidden page, and one whose stream the box
// refuses, read the job now and then instead of holding a stream open.

import { BoxError, asBoxError } from "../api/error.ts";
import type { ErrorKind, Job } from "../api/shapes.ts";
import { readEvents, type EventParser, type ServerEvent } from "../api/sse.ts";
import type { Surroundings } from "./surroundings.ts";

/** `waiting`: cut off, and trying again. */
export type Link = "live" | "waiting" | "polling" | "over";

/** Where a job is read from. */
export interface JobSource {
  read(signal: AbortSignal): Promise<Job>;
  openEvents(from: string, signal: AbortSignal): Promise<Response>;
  stop(): Promise<void>;
  finish(): Promise<void>;
}

export interface JobReader {
  /** Where in the log to go on; null while the job has to be read as a whole. */
  readonly position: string | null;
  /** Whether nothing more will come. */
  readonly isOver: boolean;
  takeJob(job: Job): void;
  takeEvents(events: ServerEvent[]): void;
  linkChanged(link: Link, error: BoxError | null): void;
}

/** Until the box says how long to wait. */
const RETRY_MS = 2_000;
const BACKOFF_MAX_MS = 10_000;
const RETRY_AFTER_MAX_MS = 60_000;
/** Three heartbeats missed: the connection is dead, though nothing says so. */
const SILENCE_MS = 45_000;
/** Browsers fire the timers of hidden pages up to a second late; ten seconds are the promise. */
const HIDDEN_STREAM_MS = 8_000;
const POLL_HIDDEN_MS = 15_000;
const POLL_SHOWN_MS = 5_000;
/** How long a refused stream is not asked for again. */
const REFUSED_MS = 30_000;
/** Errors that asking again does not mend. */
const LASTING: ErrorKind[] = [
  "not_found", "unauthorized", "forbidden", "misdirected", "bad_request", "too_long",
];

export class Follower {
  readonly #source: JobSource;
  readonly #reader: JobReader;
  readonly #surroundings: Surroundings;
  readonly #unwatch: () => void;
  #stopper = new AbortController();
  #endPause = () => {};
  #cancelHiding = () => {};
  /** Whether the page has been hidden for a while. */
  #isAway: boolean;
  #isClosed = false;
  #failures = 0;
  #retryMs = RETRY_MS;
  #refusal: { error: BoxError; until: number } | null = null;

  constructor(source: JobSource, reader: JobReader, surroundings: Surroundings) {
    this.#source = source;
    this.#reader = reader;
    this.#surroundings = surroundings;
    this.#isAway = surroundings.isHidden();
    this.#unwatch = surroundings.watch((change) => this.#changed(change));
    void this.#run();
  }

  /** Cuts what is under way, and continues at once from the reader's position. */
  restart(): void {
    this.#stopper.abort();
    this.#endPause();
  }

  /** Ends a pause, if there is one. */
  wake(): void {
    this.#endPause();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelHiding();
    this.#unwatch();
    this.restart();
  }

  #changed(change: "hidden" | "shown" | "online"): void {
    this.#cancelHiding();
    if (change === "hidden") {
      this.#cancelHiding = this.#surroundings.after(HIDDEN_STREAM_MS, () => {
        this.#isAway = true;
        this.restart();
      });
      return;
    }
    // Also where a stream is still open: nobody knows whether it survived a sleeping device or
    // another network.
    if (change === "shown") this.#isAway = false;
    this.restart();
  }

  async #run(): Promise<void> {
    while (!this.#isClosed && !this.#reader.isOver) {
      const stopper = (this.#stopper = new AbortController());
      try {
        await this.#step(stopper);
      } catch (error) {
        if (!stopper.signal.aborted) await this.#recover(asBoxError(error));
      } finally {
        stopper.abort();
      }
    }
    this.close();
  }

  async #step(stopper: AbortController): Promise<void> {
    const from = this.#reader.position;
    if (from === null) return this.#read(stopper);
    if (this.#mayStream()) return this.#stream(from, stopper);
    this.#reader.linkChanged("polling", this.#isAway ? null : this.#refusal?.error ?? null);
    await this.#pause(this.#isAway ? POLL_HIDDEN_MS : POLL_SHOWN_MS);
    if (!stopper.signal.aborted && !this.#mayStream()) await this.#read(stopper);
  }

  #mayStream(): boolean {
    if (this.#refusal && this.#surroundings.now() >= this.#refusal.until) this.#refusal = null;
    return !this.#isAway && !this.#refusal;
  }

  async #read(stopper: AbortController): Promise<void> {
    const job = await this.#source.read(stopper.signal);
    if (stopper.signal.aborted) return;
    this.#failures = 0;
    deliver(() => this.#reader.takeJob(job));
  }

  async #stream(from: string, stopper: AbortController): Promise<void> {
    const { now } = this.#surroundings;
    const silence = new SilenceWatch(this.#surroundings, () => {
      this.#reader.linkChanged("waiting", null);
      stopper.abort();
    });
    const arrived = (events: ServerEvent[], parser: EventParser) => {
      if (stopper.signal.aborted) return true;
      silence.heardAt = now();
      this.#failures = 0;
      this.#retryMs = parser.retryMs ?? this.#retryMs;
      if (events.length > 0) deliver(() => this.#reader.takeEvents(events));
      return this.#reader.position === null;
    };
    try {
      const response = await this.#source.openEvents(from, stopper.signal);
      if (!stopper.signal.aborted) this.#reader.linkChanged("live", null);
      await readEvents(response, arrived);
    } catch (error) {
      if (stopper.signal.aborted || !this.#noteRefusal(asBoxError(error))) throw error;
      return;
    } finally {
      silence.end();
    }
    if (this.#reader.position !== null) throw new BoxError("unreachable", "the stream broke off");
  }

  /** Returns whether the box refused a stream because it has too many. */
  #noteRefusal(error: BoxError): boolean {
    const isFull = error.status === 429 || (error.status === 503 && error.kind !== "stopped");
    if (!isFull) return false;
    const wait = Math.max(REFUSED_MS, error.retryAfterMs ?? 0);
    this.#refusal = { error, until: this.#surroundings.now() + wait };
    return true;
  }

  async #recover(error: BoxError): Promise<void> {
    if (LASTING.includes(error.kind)) {
      this.#reader.linkChanged("over", error);
      return this.close();
    }
    this.#reader.linkChanged("waiting", error);
    const backoff = Math.min(BACKOFF_MAX_MS, this.#retryMs * 2 ** this.#failures);
    this.#failures += 1;
    await this.#pause(Math.max(backoff, Math.min(error.retryAfterMs ?? 0, RETRY_AFTER_MAX_MS)));
  }

  #pause(ms: number): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#surroundings.after(ms, resolve);
      this.#endPause = () => {
        cancel();
        resolve();
      };
    });
  }
}

/** Hands something to the reader, and with it to all views. A fault of theirs is not one of the
    connection, which goes on. */
function deliver(take: () => void): void {
  try {
    take();
  } catch (error) {
    if (error instanceof BoxError) throw error;
    setTimeout(() => {
      throw error;
    });
  }
}

/** Calls back once nothing has been heard for too long. */
class SilenceWatch {
  heardAt: number;
  #cancel: () => void;

  constructor({ now, after }: Surroundings, silent: () => void) {
    this.heardAt = now();
    // One timer that looks at the clock, not a new one at every token.
    const wait = (ms: number): (() => void) =>
      after(ms, () => {
        const left = this.heardAt + SILENCE_MS - now();
        if (left <= 0) silent();
        else this.#cancel = wait(left);
      });
    this.#cancel = wait(SILENCE_MS);
  }

  end(): void {
    this.#cancel();
  }
}
