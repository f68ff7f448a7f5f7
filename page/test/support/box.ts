// A box with one job whose log a test writes: it cuts streams, restarts, refuses and falls silent
// when told to. It sends what the real one sends (src/http/job_events.rs, src/api/json.rs).

import { once } from "node:events";
import { type IncomingMessage, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { AttemptResult, Eta, Job, JobState, Votes } from "../../src/api/shapes.ts";
import type { Part } from "../../src/jobs/log.ts";

interface Piece { attempt: number; part: Part; bytes: Buffer }
interface Refusal { status: number; kind?: string; retryAfter?: number; body?: string }
interface Stream { response: ServerResponse; sent: number; ends: number; isFirst: boolean }

const FIGURES = {
  prompt_tokens: 10, completion_tokens: 50, thinking_tokens: 40, thinking_was_cut_off: false,
  first_token_seconds: 1, decode_seconds: 5, tokens_per_second: 10,
};

export class ScriptedBox {
  address = "";
  state: JobState = "queued";
  place: number | null = 2;
  eta: Eta | null = { seconds: 60, low: 30, high: 90 };
  attempts = 1;
  votes: Votes | null = null;
  best = 0;
  /** How many bytes of a stream are sent at once. */
  sliceBytes = Infinity;
  /** `retry` of each stream. */
  retryMs = 2_000;
  /** Answers to the next requests of a kind, instead of the real ones. */
  readonly refusals: Record<"read" | "events" | "stop" | "home", Refusal[]> = {
    read: [], events: [], stop: [], home: [],
  };
  /** What was asked for, in order. */
  readonly requests: string[] = [];
  isGone = false;
  readonly #server = createServer((request, response) => this.#handle(request, response));
  readonly #streams = new Set<Stream>();
  #pieces: Piece[] = [];
  #results: AttemptResult[] = [];
  #start = 0;
  #cuts: number[] = [];

  static async start(): Promise<ScriptedBox> {
    const box = new ScriptedBox();
    box.#server.listen(0, "127.0.0.1");
    await once(box.#server, "listening");
    box.address = `http://127.0.0.1:${(box.#server.address() as AddressInfo).port}`;
    return box;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  get streams(): number {
    return this.#streams.size;
  }

  count(kind: string): number {
    return this.requests.filter((request) => request.startsWith(kind)).length;
  }

  /** The whole text of one part of an attempt. */
  text(attempt: number, part: Part): string {
    const own = this.#pieces.filter((piece) => piece.attempt === attempt && piece.part === part);
    return Buffer.concat(own.map(({ bytes }) => bytes)).toString();
  }

  get bytes(): number {
    return this.#pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  run(): void {
    [this.state, this.place] = ["running", 0];
    this.#each((stream) => this.#queued(stream));
  }

  write(attempt: number, part: Part, text: string): void {
    this.#pieces.push({ attempt, part, bytes: Buffer.from(text) });
    this.#each((stream) => this.#rest(stream));
  }

  endAttempt(attempt: number, value: string | null, votes: Votes | null = null): void {
    this.#results.push({ attempt, finish: "done", value, figures: FIGURES });
    this.votes = votes;
    this.#each((stream) => this.#rest(stream));
  }

  end(state: JobState = "done", best = 0): void {
    [this.state, this.place, this.eta, this.best] = [state, null, null, best];
    this.#each((stream) => this.#end(stream));
  }

  /** Cuts all streams, with the words of a box that stops, or without any. */
  cut(comment = ""): void {
    this.#each(({ response }) => (comment ? response.end(`: ${comment}\n\n`) : response.destroy()));
    this.#streams.clear();
  }

  /** Starts again with the first bytes of the log, and with all ends of attempts or none. */
  restart(kept = this.bytes, ends: "all" | "none" = "none"): void {
    this.cut();
    this.#start += 1;
    this.#cuts.push(kept);
    if (ends === "none") [this.#results, this.votes] = [[], null];
    let left = kept;
    this.#pieces = this.#pieces.map((piece) => {
      const bytes = piece.bytes.subarray(0, Math.max(0, left));
      left -= piece.bytes.length;
      return { ...piece, bytes };
    });
  }

  beat(): void {
    this.#each((stream) => this.#write(stream, ": alive\n\n"));
  }

  /** Sends an event as it is, to all streams. */
  raw(text: string): void {
    this.#each((stream) => this.#write(stream, text));
  }

  #each(act: (stream: Stream) => void): void {
    for (const stream of [...this.#streams]) act(stream);
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", this.address);
    const kind = url.pathname === "/" ? "home"
      : url.pathname.endsWith("/events") ? "events"
      : request.method === "POST" ? "stop" : "read";
    const from = url.searchParams.get("from");
    this.requests.push(from === null ? kind : `${kind} ${from}`);
    if (this.isGone) return void response.destroy();
    const refusal = this.refusals[kind].shift();
    if (refusal) return this.#refuse(response, refusal);
    if (kind === "home") return void response.end("<!doctype html>");
    if (kind === "stop") {
      response.writeHead(202).end(JSON.stringify({ id: "j", state: this.state }));
      return this.end("stopped");
    }
    if (kind === "read") return void response.end(JSON.stringify(this.job()));
    this.#open(response, from ?? "0");
  }

  #refuse(response: ServerResponse, { status, kind, retryAfter, body }: Refusal): void {
    if (retryAfter !== undefined) response.setHeader("Retry-After", String(retryAfter));
    const error = { kind: kind ?? "busy", message: "refused", remedy: "Wait." };
    response.writeHead(status).end(body ?? JSON.stringify({ error }));
  }

  #open(response: ServerResponse, from: string): void {
    const [offset = 0, start = 0] = from.split(".").map(Number);
    const survived = Math.min(offset, this.bytes, ...this.#cuts.slice(start));
    const stream = { response, sent: survived, ends: 0, isFirst: true };
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.flushHeaders();
    this.#streams.add(stream);
    response.on("close", () => this.#streams.delete(stream));
    if (survived < offset) this.#event(stream, "rewind", { to: survived });
    this.#rest(stream);
    if (this.state === "queued" || this.state === "running") this.#queued(stream);
    else this.#end(stream);
  }

  #rest(stream: Stream): void {
    let at = 0;
    for (const { attempt, part, bytes } of this.#pieces) {
      const from = Math.max(0, stream.sent - at);
      at += bytes.length;
      if (from >= bytes.length) continue;
      stream.sent = at;
      this.#event(stream, part, { attempt, text: bytes.subarray(from).toString() });
    }
    for (; stream.ends < this.#results.length; stream.ends++) {
      this.#event(stream, "attempt", this.#results[stream.ends]);
      if (this.votes) this.#event(stream, "vote", this.votes);
    }
  }

  #queued(stream: Stream): void {
    this.#event(stream, "queued", { state: this.state, place: this.place, eta: this.eta });
  }

  #end(stream: Stream): void {
    const { answer, votes, figures, finish, error } = this.job();
    if (error) this.#event(stream, "failed", { error });
    else {
      const end = { state: this.state, finish, best_attempt: this.best, answer, votes, figures };
      this.#event(stream, "done", end);
    }
    stream.response.end();
  }

  #event(stream: Stream, type: string, data: unknown): void {
    const retry = stream.isFirst ? `retry: ${this.retryMs}\n` : "";
    stream.isFirst = false;
    const id = this.#position(stream.sent);
    this.#write(stream, `${retry}event: ${type}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  #write({ response }: Stream, text: string): void {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += this.sliceBytes) {
      response.write(bytes.subarray(at, at + this.sliceBytes));
    }
  }

  #position(offset: number): string {
    return this.#start ? `${offset}.${this.#start}` : String(offset);
  }

  job(): Job {
    const isFinal = this.state !== "queued" && this.state !== "running";
    const text = (part: Part) => {
      const text = this.text(this.best, part);
      return isFinal ? text.trim() : text;
    };
    const error = { kind: "internal", message: "an internal fault occurred", remedy: "Ask." };
    return {
      id: "j", state: this.state, mode: "math", question: "What is 98*78?",
      attempt_of_student: null, previous: null, asked_at: 1, ended_at: isFinal ? 2 : null,
      attempts_wanted: this.attempts, budget_tokens: 100, offset: this.#position(this.bytes),
      place: this.place, eta: this.eta, thinking: text("thinking"), answer: text("answer"),
      best_attempt: this.best, attempts_ended: this.#results.length,
      attempt_results: this.#results, votes: this.votes, value: isFinal ? "7644" : null,
      ...(isFinal ? { finish: "done", figures: FIGURES } : {}),
      ...(this.state === "failed" ? { finish: "failed", error } : {}),
    } as Job;
  }
}
