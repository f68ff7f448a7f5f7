// Parses server-sent events (HTML Living Standard, 9.2) from bytes that are cut anywhere, also
// inside a character or between CR and LF. jobs/follow.ts reads the events of jobs with it, because
// EventSource hides the status of a refusal. It knows neither jobs nor connections.

/** A whole event; `id` is the last one sent, by this event or by an earlier one. */
export interface ServerEvent { type: string; data: string; id: string }

const LINE_END = /[\r\n]/g;
/** An id that contains it is ignored, as the standard says. */
const NUL = "\0";

/** Reads a stream to its end, or until `arrived` returns true. Calls it at each arrival of bytes,
    also of comments alone, with the events that are whole by then. */
export async function readEvents(
  response: Response, arrived: (events: ServerEvent[], parser: EventParser) => boolean,
): Promise<void> {
  const parser = new EventParser();
  const chunks = response.body?.getReader();
  if (!chunks) return;
  for (let chunk = await chunks.read(); !chunk.done; chunk = await chunks.read()) {
    if (arrived(parser.feed(chunk.value), parser)) return;
  }
}

export class EventParser {
  /** The time that the stream asks to wait before reconnecting; null until it does. */
  retryMs: number | null = null;

  readonly #decoder = new TextDecoder();
  /** The beginning of a line whose end has not come, in pieces: a long line costs its length. */
  #open: string[] = [];
  /** After CR: an LF that comes next belongs to it. */
  #isAfterCr = false;
  #type = "";
  #data: string[] = [];
  #id = "";

  /** Takes the next bytes; returns the events that they complete, in order. */
  feed(bytes: Uint8Array): ServerEvent[] {
    const events: ServerEvent[] = [];
    const text = this.#decoder.decode(bytes, { stream: true });
    if (text === "") return events;
    let start = this.#isAfterCr && text[0] === "\n" ? 1 : 0;
    this.#isAfterCr = false;
    for (;;) {
      LINE_END.lastIndex = start;
      const end = LINE_END.exec(text)?.index;
      if (end === undefined) break;
      this.#open.push(text.slice(start, end));
      const line = this.#open.join("");
      this.#open = [];
      this.#takeLine(line, events);
      start = end + 1;
      if (text[end] !== "\r") continue;
      if (text[start] === "\n") start += 1;
      else this.#isAfterCr = start === text.length;
    }
    if (start < text.length) this.#open.push(text.slice(start));
    return events;
  }

  #takeLine(line: string, events: ServerEvent[]): void {
    if (line === "") {
      if (this.#data.length > 0) {
        const data = this.#data.join("\n");
        events.push({ type: this.#type || "message", data, id: this.#id });
      }
      this.#type = "";
      this.#data = [];
      return;
    }
    // A line that starts with a colon, a comment, has the empty name.
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "event") this.#type = value;
    else if (name === "data") this.#data.push(value);
    else if (name === "id" && !value.includes(NUL)) this.#id = value;
    else if (name === "retry" && /^\d+$/.test(value)) this.retryMs = Number(value);
  }
}
