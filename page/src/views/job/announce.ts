// When a screen reader is told how a job stands: few and short messages over half an hour, never
// the streamed text. At most ONCE_MAX single messages, the last one kept for the end, and one of
// the regular ones (place, estimate) a minute. With the form's own "asked" these are 12, the most
// that the page allows itself. Words are the strings' affair.

import { isOver, type Phase } from "./phase.ts";

const ONCE_MAX = 11;
const REGULAR_EVERY_MS = 60_000;

/** How a job stands at one moment. */
export interface Moment {
  atMs: number;
  phase: Phase;
  /** Place in line; 0 once it runs. */
  place: number;
  /** Whole minutes left; null if unknown or past the estimate. */
  minutes: number | null;
  isOverdue: boolean;
  isCutOff: boolean;
}

export type Announcement =
  | { kind: "asked" | "place"; place: number; minutes: number | null }
  | { kind: "minutes"; minutes: number }
  | { kind: "thinking" | "answering" | "overdue" | "cutOff" | "back" | "over" };

/** Decides moment by moment; a job that was over when first seen is never announced. */
export class Announcer {
  private once = 0;
  private regularAt = -Infinity;
  private before: Moment | null = null;
  private saidPlace = 0;
  private hasThought = false;
  private isOverdue = false;

  /** Returns what to say now, or null. */
  next(moment: Moment): Announcement | null {
    const before = this.before;
    this.before = moment;
    if (!before) return this.first(moment);
    if (isOver(before.phase)) return null;
    if (isOver(moment.phase)) return { kind: "over" };
    return this.single(moment, before) ?? this.regular(moment);
  }

  private first(moment: Moment): Announcement | null {
    if (isOver(moment.phase)) return null;
    const { place, minutes, atMs } = moment;
    this.once = 1;
    this.regularAt = atMs;
    this.saidPlace = place;
    this.hasThought = moment.phase !== "queued" && moment.phase !== "reading";
    this.isOverdue = moment.isOverdue;
    return { kind: "asked", place, minutes };
  }

  private single(moment: Moment, before: Moment): Announcement | null {
    // The end's message is always kept free.
    if (this.once >= ONCE_MAX - 1) return null;
    const found = this.event(moment, before);
    if (found) this.once += 1;
    return found;
  }

  private event(moment: Moment, before: Moment): Announcement | null {
    if (moment.isCutOff !== before.isCutOff) {
      return { kind: moment.isCutOff ? "cutOff" : "back" };
    }
    if (moment.phase === "thinking" && !this.hasThought) {
      this.hasThought = true;
      return { kind: "thinking" };
    }
    if (moment.phase === "answering" && before.phase !== "answering") {
      this.hasThought = true;
      return { kind: "answering" };
    }
    if (moment.isOverdue && !this.isOverdue) {
      this.isOverdue = true;
      return { kind: "overdue" };
    }
    return null;
  }

  private regular({ atMs, place, minutes, isCutOff }: Moment): Announcement | null {
    if (isCutOff || atMs - this.regularAt < REGULAR_EVERY_MS) return null;
    const hasMoved = place > 0 && place !== this.saidPlace;
    if (!hasMoved && minutes === null) return null;
    this.regularAt = atMs;
    this.saidPlace = place;
    if (hasMoved) return { kind: "place", place, minutes };
    return minutes === null ? null : { kind: "minutes", minutes };
  }
}
