// One job of the replayer: a recording, how far it has been played, and the readers of its events.
// Positions, events and their order are those of docs/jobs.md and src/desk/feed.rs.

import { stepsOf } from "./recording.mjs";

const HEARTBEAT_MS = 15_000;

export class ReplayedJob {
  state = "queued";
  finish = null;
  error = null;
  endedAt = null;
  /** The pieces played, `{ attempt, part, text, end }`: each ends at a byte of the log. */
  pieces = [];
  ends = [];
  /** Bytes that survived each restart. */
  restarts = [];
  #readers = new Set();
  #timer = null;

  /**
   * `attempts` is what each writes (see `stepsOf`); `ask` the request; `place` and `eta` hold until
   * it starts. With `perSecond` it begins to play by itself.
   */
  constructor(id, options) {
    const { ask = {}, attempts, seed, place = 0, eta = null, perSecond = 0, mode } = options;
    this.id = id;
    this.ask = ask;
    this.mode = ask.mode ?? mode ?? "math";
    this.question = options.question ?? ask.question ?? "What is $2 + 2$?";
    this.wanted = ask.attempts ?? attempts.length;
    this.steps = stepsOf(attempts, { seed });
    this.place = place;
    this.eta = eta;
    this.askedAt = options.askedAt ?? Math.floor(Date.now() / 1000);
    if (perSecond > 0) this.play(perSecond);
  }

  get bytes() {
    return this.pieces[this.pieces.length - 1]?.end ?? 0;
  }

  get isOver() {
    return ["done", "stopped", "failed"].includes(this.state);
  }

  /** Changes the place in line or the estimate. */
  tell({ place = this.place, eta = this.eta }) {
    this.place = place;
    this.eta = eta;
    this.#publish();
  }

  /** Plays the next steps; at the end of the recording the job is done. */
  step(count = 1) {
    if (this.isOver) return;
    if (this.state === "queued") [this.state, this.place] = ["running", 0];
    for (const step of this.steps.splice(0, count)) this.#take(step);
    if (this.steps.length === 0) return this.end("done");
    this.#publish();
  }

  /** Plays so many steps a second until the end or `pause`. */
  play(perSecond, everyMs = Math.max(10, 1000 / perSecond)) {
    this.pause();
    let due = 0;
    this.#timer = setInterval(() => {
      due += (perSecond * everyMs) / 1000;
      this.step(Math.floor(due));
      due -= Math.floor(due);
      if (this.isOver) this.pause();
    }, everyMs);
  }

  pause() {
    clearInterval(this.#timer);
  }

  /** Plays up to the first step that `is` accepts, which is played too. */
  stepTo(is) {
    const at = this.steps.findIndex(is);
    if (at < 0) throw new Error("the recording has no such step");
    this.step(at + 1);
  }

  stepAll() {
    this.step(this.steps.length);
  }

  /** Ends the thinking: what the recording would still think is left out. */
  finishNow() {
    this.steps = this.steps.filter((step) => step.part !== "thinking");
  }

  end(state, { finish = state, error = null } = {}) {
    if (this.isOver) return;
    this.pause();
    Object.assign(this, { state, finish, error, place: 0, eta: null });
    this.endedAt = Math.floor(Date.now() / 1000);
    this.#publish();
  }

  /**
   * A restart that kept so many bytes of the log; the text behind is generated again, by default
   * the same. Call `Replayer.cut` as well: readers notice when they come back.
   */
  restart(bytes, again = null) {
    const lost = [];
    while (this.bytes > bytes) {
      const piece = this.pieces.pop();
      const keeps = bytes - this.bytes;
      if (keeps <= 0) {
        lost.unshift(piece);
        continue;
      }
      const whole = Buffer.from(piece.text);
      const [head, tail] = [whole.subarray(0, keeps), whole.subarray(keeps)].map(String);
      this.#append({ ...piece, text: head });
      lost.unshift({ ...piece, text: tail });
    }
    this.restarts.push(this.bytes);
    const steps =
      again ?? lost.map(({ attempt, part, text }) => ({ kind: "text", attempt, part, text }));
    this.steps.unshift(...steps);
  }

  #take(step) {
    if (step.kind === "text") this.#append(step);
    else this.ends.push(step);
  }

  #append({ attempt, part, text }) {
    this.pieces.push({ attempt, part, text, end: this.bytes + Buffer.byteLength(text) });
  }

  /** Returns all texts of one part of an attempt. */
  text(attempt, part) {
    const own = this.pieces.filter((piece) => piece.attempt === attempt && piece.part === part);
    return own.map((piece) => piece.text).join("");
  }

  get votes() {
    if (this.wanted < 2 || this.ends.length === 0) return null;
    const counts = new Map();
    for (const { attempt, value } of this.ends) {
      if (value !== null) counts.set(value, [...(counts.get(value) ?? []), attempt]);
    }
    const votes = [...counts].map(([value, indices]) => ({
      value,
      count: indices.length,
      attempts: indices,
      attempt_indices: indices,
    }));
    votes.sort((a, b) => b.count - a.count);
    const [leading] = votes;
    const agreement = leading ? leading.count / this.ends.length : 0;
    return {
      wanted: this.wanted,
      ended: this.ends.length,
      votes,
      agreement: Math.round(agreement * 1000) / 1000,
      best_attempt: leading?.attempt_indices[0] ?? null,
    };
  }

  get best() {
    return this.votes?.best_attempt ?? 0;
  }

  get value() {
    return this.ends.find((end) => end.attempt === this.best)?.value ?? null;
  }

  figures(attempt = null) {
    const own = this.pieces.filter((piece) => attempt === null || piece.attempt === attempt);
    return {
      prompt_tokens: 90,
      completion_tokens: own.length,
      thinking_tokens: own.filter((piece) => piece.part === "thinking").length,
      thinking_was_cut_off: false,
      first_token_seconds: 1.2,
      decode_seconds: Math.round(own.length) / 10,
      tokens_per_second: 10,
    };
  }

  #attemptEnd({ attempt, value, finish }) {
    return { attempt, finish, value, figures: this.figures(attempt) };
  }

  listed() {
    return {
      id: this.id,
      state: this.state,
      mode: this.mode,
      question: this.question,
      previous: this.ask.previous ?? null,
      attempts_wanted: this.wanted,
      asked_at: this.askedAt,
      ended_at: this.endedAt,
      value: this.isOver ? this.value : null,
    };
  }

  whole() {
    const results = this.ends.map((end) => this.#attemptEnd(end));
    const trimmed = (text) => (this.isOver ? text.trim() : text);
    const job = {
      ...this.listed(),
      attempt_of_student: this.ask.attempt_of_student ?? null,
      budget_tokens: this.ask.budget_tokens ?? 32768,
      offset: this.#position(this.bytes),
      place: this.place,
      eta: this.eta,
      thinking: trimmed(this.text(this.best, "thinking")),
      answer: trimmed(this.text(this.best, "answer")),
      best_attempt: this.best,
      attempts_ended: this.ends.length,
      attempt_results: results,
      attempts: results,
      votes: this.votes,
      value: this.value,
    };
    if (!this.isOver) return job;
    return {
      ...job,
      finish: this.finish,
      figures: this.figures(),
      ...(this.error && { error: this.error }),
    };
  }

  #position(offset) {
    return this.restarts.length > 0 ? `${offset}.${this.restarts.length}` : String(offset);
  }

  /** Answers a request for events with a stream from a position on. */
  stream(response, from, retryMs) {
    const [offset, start] = (from || "0").split(".").map(Number);
    response.writeHead(200, { "Content-Type": "text/event-stream; charset=utf-8" });
    const kept = this.restarts.slice(start || 0);
    const at = Math.min(offset, this.bytes, ...kept);
    const reader = { response, at, ends: 0, voted: 0, queued: "", retry: `retry: ${retryMs}\n` };
    if (at < offset) this.#send(reader, "rewind", { to: at });
    this.#readers.add(reader);
    const beat = setInterval(() => response.write(": alive\n\n"), HEARTBEAT_MS);
    response.on("close", () => {
      clearInterval(beat);
      this.#readers.delete(reader);
    });
    this.#catchUp(reader);
  }

  /** Sends readers what the box sends every 15 seconds, for pages with a clock of their own. */
  beat() {
    for (const { response } of this.#readers) response.write(": alive\n\n");
  }

  /** How many readers are connected. */
  get readers() {
    return this.#readers.size;
  }

  #publish() {
    for (const reader of this.#readers) this.#catchUp(reader);
  }

  #send(reader, kind, data) {
    const { retry } = reader;
    reader.retry = "";
    const id = this.#position(reader.at);
    const event = `event: ${kind}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
    reader.response.write(retry + event);
  }

  /** Sends a reader what it has not had: text, attempts, votes, then the end or the place. */
  #catchUp(reader) {
    let next = this.pieces.length;
    while (next > 0 && this.pieces[next - 1].end > reader.at) next -= 1;
    for (const { attempt, part, text, end } of this.pieces.slice(next)) {
      const whole = Buffer.from(text);
      const rest = whole.subarray(Math.max(0, whole.length - (end - reader.at))).toString();
      reader.at = end;
      this.#send(reader, part, { attempt, text: rest });
    }
    for (const end of this.ends.slice(reader.ends))
      this.#send(reader, "attempt", this.#attemptEnd(end));
    reader.ends = this.ends.length;
    const { votes } = this;
    if (votes && votes.ended > reader.voted) {
      reader.voted = votes.ended;
      this.#send(reader, "vote", votes);
    }
    if (this.isOver) return this.#sendEnd(reader);
    const queued = { state: this.state, place: this.place, eta: this.eta };
    if (JSON.stringify(queued) === reader.queued) return;
    reader.queued = JSON.stringify(queued);
    this.#send(reader, "queued", queued);
  }

  #sendEnd(reader) {
    const { state, finish, best, votes } = this;
    if (state === "failed") {
      this.#send(reader, "failed", { error: this.error });
    } else {
      const answer = this.text(best, "answer").trim();
      this.#send(reader, "done", {
        state,
        finish,
        best_attempt: best,
        answer,
        votes,
        figures: this.figures(),
      });
    }
    this.#readers.delete(reader);
    reader.response.end();
  }
}
