// Estimates how many tokens a log has: the box counts them only at the end of an attempt. While a
// page keeps up, each event is a token, so the events so far tell how many bytes one has.

/** For mathematics in any language, until there is something to measure. */
const BYTES_PER_TOKEN = 3;
const EVENTS_MIN = 50;
/** A longer text is several tokens that had to wait for their reader. */
const TOKEN_BYTES_MAX = 24;

export class TokenEstimate {
  #bytes = 0;
  #events = 0;
  #highest = 0;

  /** Notes the text of an event. */
  add(bytes: number): void {
    if (bytes > TOKEN_BYTES_MAX) return;
    this.#bytes += bytes;
    this.#events += 1;
  }

  /** Returns the tokens in a log of that length; never fewer than before, as it only grows. */
  of(bytes: number): number {
    const isMeasured = this.#events >= EVENTS_MIN;
    const each = isMeasured ? this.#bytes / this.#events : BYTES_PER_TOKEN;
    return (this.#highest = Math.max(this.#highest, Math.round(bytes / each)));
  }
}
