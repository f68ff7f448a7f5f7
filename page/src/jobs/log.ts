// The texts of a job's attempts, put together from its events (docs/jobs.md). All attempts share
// one log; a position in it counts bytes of UTF-8, so that a rewind can fall between two events or
// inside one. Pure: jobs/followed.ts feeds it, the views read `text`.
//
// A job that was read as a whole at a position has the text of one attempt alone. Where that is
// all of the log, the log is exact from byte 0; else it is exact from that position on only.

import type { Job } from "../api/shapes.ts";
import { isFinal } from "./events.ts";

export type Part = "thinking" | "answer";

/** A span is packed into 32 bits: its lane below, its length in bytes above. */
const LANE_BITS = 6;
const LANE_MASK = (1 << LANE_BITS) - 1;
const SPAN_BYTES_MAX = 2 ** (32 - LANE_BITS) - 1;
const SPANS_FIRST = 64;
/** Pieces that wait until they are joined; joining each by itself would leave a rope of strings. */
const PIECES_MAX = 256;

export class JobLog {
  /** The position to continue from, as the box writes it: `1234` or, after restarts, `1234.2`. */
  position = "0";

  #offset = 0;
  /** Bytes before it cannot be told apart: they are those of a job read as a whole. */
  #base = 0;
  #baseAttempt = 0;
  readonly #lanes: (Lane | undefined)[] = [];
  #spans = new Uint32Array(SPANS_FIRST);
  #spanCount = 0;

  /** Begins with a job that was read as a whole. */
  static of(job: Job): JobLog {
    const log = new JobLog();
    const offset = offsetOf(job.offset);
    const texts = [["thinking", job.thinking], ["answer", job.answer]] as const;
    const bytes = utf8Length(job.thinking) + utf8Length(job.answer);
    // The box trims texts as it closes: what belongs between them and the rest is read again.
    if (!isFinal(job.state) && job.attempts_wanted === 1 && bytes !== offset) return log;
    for (const [part, text] of texts) log.#push(laneOf(job.best_attempt, part), text);
    if (bytes !== offset) {
      log.#spanCount = 0;
      log.#base = offset;
      log.#baseAttempt = job.best_attempt;
    }
    log.#offset = offset;
    log.position = job.offset;
    return log;
  }

  /** Length of the log in bytes. */
  get offset(): number {
    return this.#offset;
  }

  /** Returns whether the whole text of an attempt up to the position is here. */
  holds(attempt: number): boolean {
    return this.#base === 0 || attempt === this.#baseAttempt;
  }

  /** Returns whether the texts of all attempts are here, from the beginning. */
  get isWhole(): boolean {
    return this.#base === 0;
  }

  /** Returns the text so far of one part of an attempt. Cheap: only what is new is joined. */
  text(attempt: number, part: Part): string {
    return this.#lanes[laneOf(attempt, part)]?.text() ?? "";
  }

  /** Adds the text of an event whose id is `position`. Returns false, and changes nothing, if that
      does not continue the log: then the job must be read again. */
  append(attempt: number, part: Part, text: string, position: string): boolean {
    const end = offsetOf(position);
    if (this.#offset + utf8Length(text) !== end) return false;
    this.#push(laneOf(attempt, part), text);
    this.position = position;
    return true;
  }

  /** Drops the text after byte `to`, and a character of which only a part would remain. Returns
      false if the log is not exact there: then the job must be read again. */
  rewind(to: number, position: string): boolean {
    if (to === 0) this.#clear();
    if (to < this.#base) return false;
    while (this.#offset > to) {
      const span = this.#spans[--this.#spanCount] ?? 0;
      const [index, bytes] = [span & LANE_MASK, span >>> LANE_BITS];
      const dropped = this.#lane(index).dropEnd(Math.min(bytes, this.#offset - to));
      this.#offset -= dropped;
      if (dropped < bytes) this.#addSpan(index, bytes - dropped);
    }
    if (this.#offset === offsetOf(position)) this.position = position;
    return this.#offset === to;
  }

  #clear(): void {
    this.#lanes.length = 0;
    this.#spanCount = this.#base = this.#offset = 0;
  }

  #push(index: number, text: string): void {
    if (text === "") return;
    const bytes = utf8Length(text);
    this.#lane(index).append(text);
    this.#addSpan(index, bytes);
    this.#offset += bytes;
  }

  #lane(index: number): Lane {
    return (this.#lanes[index] ??= new Lane());
  }

  #addSpan(index: number, bytes: number): void {
    const last = this.#spanCount - 1;
    const before = last < 0 ? 0 : this.#spans[last] ?? 0;
    const joined = (before >>> LANE_BITS) + bytes;
    if (last >= 0 && (before & LANE_MASK) === index && joined <= SPAN_BYTES_MAX) {
      this.#spans[last] = pack(index, joined);
      return;
    }
    if (this.#spanCount === this.#spans.length) {
      const wider = new Uint32Array(2 * this.#spans.length);
      wider.set(this.#spans);
      this.#spans = wider;
    }
    this.#spans[this.#spanCount++] = pack(index, bytes);
  }
}

/** The text of one part of an attempt. */
class Lane {
  #joined = "";
  #pieces: string[] = [];

  append(piece: string): void {
    this.#pieces.push(piece);
    if (this.#pieces.length > PIECES_MAX) this.text();
  }

  text(): string {
    if (this.#pieces.length > 0) {
      this.#joined += this.#pieces.join("");
      this.#pieces = [];
    }
    return this.#joined;
  }

  /** Drops at least `bytes` bytes from the end, whole characters only; returns how many. */
  dropEnd(bytes: number): number {
    const text = this.text();
    let dropped = 0;
    let end = text.length;
    while (dropped < bytes && end > 0) {
      const isPair = isLowSurrogate(text.charCodeAt(end - 1)) && end > 1;
      end -= isPair ? 2 : 1;
      dropped += isPair ? 4 : utf8Length(text[end] ?? "");
    }
    this.#joined = text.slice(0, end);
    return dropped;
  }
}

function laneOf(attempt: number, part: Part): number {
  return 2 * attempt + (part === "answer" ? 1 : 0);
}

function pack(index: number, bytes: number): number {
  return ((bytes << LANE_BITS) | index) >>> 0;
}

/** Returns the bytes before a position of the log. */
export function offsetOf(position: string): number {
  return parseInt(position, 10) || 0;
}

/** Returns the number of restarts of the box that a position counts. */
export function startOf(position: string): number {
  return Number(position.split(".")[1] ?? 0);
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code < 0xe000;
}

/** Returns the length in bytes of a text in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) continue;
    // The two halves of a pair have four bytes together.
    bytes += code < 0x800 || isLowSurrogate(code) || (code >= 0xd800 && code < 0xdc00) ? 1 : 2;
  }
  return bytes;
}
