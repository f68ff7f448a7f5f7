// A job of the box as signals, put together from whole reads and events. jobs/follow.ts connects,
// jobs/log.ts keeps the texts, jobs/events.ts reads events; jobs/job.ts makes one for a page.

import { batch, computed, signal } from "@preact/signals";
import { BoxError, asBoxError } from "../api/error.ts";
import type { Job } from "../api/shapes.ts";
import { type ServerEvent, readEvents } from "../api/sse.ts";
import { isFinal, readEvent } from "./events.ts";
import { Follower, type JobReader, type JobSource, type Link } from "./follow.ts";
import type { LiveJob } from "./job.ts";
import { JobLog, type Part, offsetOf, startOf } from "./log.ts";
import type { Surroundings } from "./surroundings.ts";
import { TokenEstimate } from "./tokens.ts";
import { trimmed } from "./trim.ts";

const REVISION_MS = 100;
/** All texts of a job come at once or not at all. */
const LOAD_ALL_MS = 60_000;

export class FollowedJob implements LiveJob, JobReader {
  readonly id: string;
  readonly info;
  readonly hasRead = signal(false);
  readonly link = signal<Link>("live");
  readonly linkError = signal<BoxError | null>(null);
  readonly etaReadAt = signal(0);
  readonly revision = signal(0);
  readonly tokens = signal(0);
  readonly shownAttempt = computed(() => {
    const { state, best_attempt: best, votes } = this.info.value;
    return isFinal(state) ? best : votes?.best_attempt ?? 0;
  });

  readonly #source: JobSource;
  readonly #surroundings: Surroundings;
  readonly #follower: Follower;
  readonly #closing = new AbortController();
  readonly #estimate = new TokenEstimate();
  #log = new JobLog();
  /** Restarts of the box that what is known of ends and votes counts. */
  #start = 0;
  /** Why the job has to be read as a whole: its log is not known or has a gap, or it has ended. */
  #needed: "log" | "end" | "nothing" = "log";
  #loading: Promise<void> | null = null;
  #revisedAt = -REVISION_MS;
  #cancelRevision: (() => void) | null = null;

  constructor(id: string, source: JobSource, surroundings: Surroundings, known: Partial<Job>) {
    this.id = id;
    this.info = signal<Job>({ ...unknownJob(id), ...known });
    this.#source = source;
    this.#surroundings = surroundings;
    this.#follower = new Follower(source, this, surroundings);
  }

  text(attempt: number, part: Part): string {
    return trimmed(this.#log.text(attempt, part), isFinal(this.info.peek().state));
  }

  holds(attempt: number): boolean {
    return this.#log.holds(attempt);
  }

  async stop(): Promise<void> {
    await this.#source.stop();
    this.#follower.wake();
  }

  async finish(): Promise<void> {
    await this.#source.finish();
    this.#follower.wake();
  }

  close(): void {
    this.#closing.abort();
    this.#cancelRevision?.();
    this.#follower.close();
  }

  loadAll(): Promise<void> {
    const isAlone = this.info.peek().attempts_wanted === 1 && this.#log.holds(0);
    if (this.hasRead.peek() && (this.#log.isWhole || isAlone)) return Promise.resolve();
    const done = () => void (this.#loading = null);
    this.#loading ??= this.#readAll();
    this.#loading.then(done, done);
    return this.#loading;
  }

  async #readAll(): Promise<void> {
    const log = new JobLog();
    const stopper = new AbortController();
    const stop = () => stopper.abort();
    this.#closing.signal.addEventListener("abort", stop);
    const cancel = this.#surroundings.after(LOAD_ALL_MS, stop);
    const hasAll = () =>
      this.hasRead.peek() && log.offset >= Math.max(this.#log.offset, this.#offsetRead());
    try {
      const response = await this.#source.openEvents("0", stopper.signal);
      await readEvents(response, (events) => {
        events.forEach((event) => appendTo(log, event));
        return hasAll();
      });
      if (!hasAll()) throw new BoxError("unreachable", "the texts of the attempts broke off");
    } catch (error) {
      throw asBoxError(error);
    } finally {
      cancel();
      stop();
      this.#closing.signal.removeEventListener("abort", stop);
    }
    this.#log = log;
    this.#start = startOf(log.position);
    this.#revise();
    // Goes on where the new log ends.
    if (!this.isOver) this.#follower.restart();
  }

  /** Length of the log when the job was read as a whole last. */
  #offsetRead(): number {
    return offsetOf(this.info.peek().offset);
  }

  // For the follower.

  get position(): string | null {
    return this.#needed === "nothing" ? this.#log.position : null;
  }

  get isOver(): boolean {
    return this.#needed === "nothing" && isFinal(this.info.peek().state);
  }

  takeJob(job: Job): void {
    batch(() => {
      this.hasRead.value = true;
      this.info.value = job;
      this.#start = startOf(job.offset);
      if (job.eta) this.etaReadAt.value = this.#surroundings.now();
      if (this.#isLogOutdated(job)) this.#log = JobLog.of(job);
      this.#needed = "nothing";
      if (isFinal(job.state)) this.linkChanged("over", null);
      this.#revise();
    });
    this.#loadShown();
  }

  takeEvents(events: ServerEvent[]): void {
    batch(() => events.forEach((event) => this.#take(event)));
  }

  linkChanged(link: Link, error: BoxError | null): void {
    batch(() => {
      // A job that has ended is whole, even if a last look at it fails for now.
      this.link.value = isFinal(this.info.peek().state) ? "over" : link;
      this.linkError.value = error;
    });
  }

  #isLogOutdated(job: Job): boolean {
    const isSame = job.offset === this.#log.position;
    if (this.#needed === "log") return true;
    if (isFinal(job.state)) return !isSame || !this.#log.holds(job.best_attempt);
    // Nobody sees a hidden page: it keeps its log, and gets the exact rest when it is shown.
    return !isSame && !this.#surroundings.isHidden();
  }

  #take(event: ServerEvent): void {
    if (this.#needed !== "nothing") return;
    const read = readEvent(event);
    if (!read) return;
    // After a restart of the box, the ends of attempts and the votes are sent again.
    const start = startOf(event.id);
    if (start !== this.#start) {
      this.#start = start;
      this.#forgetEnds();
    }
    if (read.type === "text") {
      const { attempt, part, text } = read;
      const before = this.#log.offset;
      if (this.#log.append(attempt, part, text, event.id)) {
        this.#estimate.add(this.#log.offset - before);
        return this.#reviseSoon();
      }
      this.#needed = "log";
    } else if (read.type === "rewind") {
      if (!this.#log.rewind(read.to, event.id)) this.#needed = "log";
      this.#change({ offset: this.#log.position });
    } else {
      this.#change(read.change(this.info.peek()));
      if (event.type === "vote") this.#loadShown();
    }
  }

  #change(change: Partial<Job>): void {
    this.info.value = { ...this.info.peek(), ...change };
    if (change.eta) this.etaReadAt.value = this.#surroundings.now();
    if (change.state && isFinal(change.state)) {
      this.#needed = "end";
      this.linkChanged("over", null);
    }
    this.#revise();
  }

  #forgetEnds(): void {
    this.#change({ attempt_results: [], attempts_ended: 0, votes: null });
  }

  /** Gets the text of an attempt that leads the vote, if the job was read before it led. */
  #loadShown(): void {
    const isNeeded = !this.#log.holds(this.shownAttempt.peek());
    // The next vote tries again, and so does opening the attempt.
    if (isNeeded && !this.#surroundings.isHidden()) this.loadAll().catch(() => {});
  }

  #reviseSoon(): void {
    if (this.#cancelRevision) return;
    const wait = this.#revisedAt + REVISION_MS - this.#surroundings.now();
    if (wait <= 0) return this.#revise();
    this.#cancelRevision = this.#surroundings.after(wait, () => this.#revise());
  }

  #revise(): void {
    this.#cancelRevision?.();
    this.#cancelRevision = null;
    this.#revisedAt = this.#surroundings.now();
    const { figures } = this.info.peek();
    const bytes = Math.max(this.#log.offset, this.#offsetRead());
    batch(() => {
      this.tokens.value = figures?.completion_tokens ?? this.#estimate.of(bytes);
      this.revision.value += 1;
    });
  }
}

/** Adds an event's text to a log that is read from its beginning. */
function appendTo(log: JobLog, event: ServerEvent): void {
  const read = readEvent(event);
  if (read?.type !== "text") return;
  const { attempt, part, text } = read;
  if (!log.append(attempt, part, text, event.id)) {
    throw new BoxError("nonsense", "an event of the job does not continue its log");
  }
}

/** What stands for a job until it has been read. */
function unknownJob(id: string): Job {
  return {
    id, state: "queued", mode: "", question: "", attempt_of_student: null, previous: null,
    asked_at: 0, ended_at: null, attempts_wanted: 1, budget_tokens: 0, offset: "0", place: null,
    eta: null, thinking: "", answer: "", best_attempt: 0, attempts_ended: 0, attempt_results: [],
    votes: null, value: null,
  };
}
